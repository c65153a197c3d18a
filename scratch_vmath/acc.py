"""One run: max ulp (fused and plain compiled) and ns for every function, both dtypes, beside numpy and libm."""
import sys; sys.path.insert(0,'/tmp/wt2')
import time, math, numpy as np, scipy.special as sc, types
from numba import njit
from tests.ops.test_vector_math import *
from symbackprop.codegen.expression import helper_source
COUNT=int(sys.argv[1])
def build(name,dtype,fused):
    form=VECTOR[name][dtype]; ns={"math":math,"np":np,"float32":np.float32}
    opt=dict(error_model="numpy",forceinline=True)
    if fused: opt["fastmath"]={"contract"}
    for f in form.helpers:
        exec(helper_source(f,dtype),ns); ns[f.__name__]=njit(**opt)(ns[f.__name__])
    f=ns[form.helpers[-1].__name__]
    return loop(f,arity(name))
def loop(f,n):
    if n==1:
        @njit(error_model="numpy")
        def k(x,o):
            for i in range(x.size): o[i]=f(x[i])
    else:
        @njit(error_model="numpy")
        def k(x,y,o):
            for i in range(x.size): o[i]=f(x[i],y[i])
    return k
def ns_of(k,args,out):
    k(*args,out); best=1e9
    for _ in range(400):
        t=time.perf_counter(); k(*args,out); best=min(best,time.perf_counter()-t)
    return best/out.size*1e9
def plainform(name):
    op=ELEMENTWISE[name]; d={"math":math,"np":np}
    for h in op.helpers:
        exec(helper_source(h,"float64").replace("@",""),d); d[h.__name__]=njit(error_model="numpy")(d[h.__name__])
    ar="x" if arity(name)==1 else "x, y"
    exec(f"def f({ar}): return {op.emit}",d)
    return loop(njit(error_model="numpy")(d["f"]),arity(name))
NP={"acos":np.arccos,"asin":np.arcsin,"atan":np.arctan,"atan2":np.arctan2,"erf":sc.erf,"erfc":sc.erfc,"power":np.power,"logaddexp":np.logaddexp,"sigmoid":sc.expit,"softplus":sc.log1p and (lambda x,out: np.logaddexp(0,x,out))}
rng=np.random.default_rng(5)
for name in (sys.argv[2:] or sorted(VECTOR)):
    row=[]
    for dtype in DTYPES:
        pts=sample(name,dtype,COUNT,np.random.default_rng(11))
        if name in("asin","acos"): a=rng.uniform(-1,1,4096)
        elif name in("log","log2","log10","log1p","power"): a=np.exp(rng.normal(size=4096)*3)
        else: a=rng.normal(size=4096)*2
        b=rng.normal(size=4096)*2
        args=tuple(v.astype(dtype) for v in (a,b))[:arity(name)]; out=np.empty(4096,dtype)
        fu,pl=build(name,dtype,True),build(name,dtype,False)
        errs=[]
        for k in (pl,fu):
            o=np.empty(pts[0].size,dtype); k(*pts,o); errs.append(worst(name,pts,o)[0])

        row+=[f"{max(errs):.2f}"]; continue
    print(f"| {name:9s} | "+" | ".join(f"{v:>5s}" for v in row)+" |",flush=True)
