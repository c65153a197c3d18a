import llvmlite.binding as llvm
llvm.set_option('','-pass-remarks-missed=loop-vectorize'); llvm.set_option('','-pass-remarks-analysis=loop-vectorize')
from meas import *
mods=sys.argv[1].split(','); ns=load(*mods)
x=rng.uniform(.1,.9,4096)
for n in sys.argv[2:]:
    na=len(inspect.signature(ns[n].py_func).parameters)
    k=arr(ns[n],na); print("==",n,flush=True); k(*[x]*na,np.empty_like(x))
    open(f'/tmp/vm/{n}.ll','w').write(k.inspect_llvm(k.signatures[0]))
