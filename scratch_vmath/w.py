import sys
sys.path.insert(0,'/tmp/wt2')
import inspect, tests.runtime.test_float32 as T
src=inspect.getsource(T.test_every_primitive).split("\n",1)[1].replace("    assert widened","    return kernel\n    assert widened").replace("rank: int","rank")
ns=dict(vars(T)); exec("from __future__ import annotations\n"+src,ns)
k=ns["test_every_primitive"](1)
for name,f in vars(k._module).items():
    for sig,c in getattr(f,"overloads",{}).items():
        for v,t in c.type_annotation.typemap.items():
            if "float64" in str(t) and not any(m in v for m in T.LITERALS): print(name,sig,v,t)
