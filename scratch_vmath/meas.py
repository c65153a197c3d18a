import sys, math, time, re, random
sys.path.insert(0,'/tmp/wt2')
import numpy as np, mpmath as mp
from numba import njit
import importlib, inspect, types
def load(*mods):
    """jit all functions of the modules into one namespace"""
    ns={"math":math,"np":np}
    jit=njit(error_model="numpy",forceinline=True)
    for m in mods:
        M=importlib.import_module("symbackprop.ops."+m)
        for n in M.__all__:
            f=getattr(M,n)
            g=types.FunctionType(f.__code__,ns,f.__name__)
            ns[n]=jit(g)
    return ns
def arr(f,nargs=1):
    if nargs==1:
        @njit(error_model="numpy")
        def k(x,o):
            for i in range(x.size): o[i]=f(x[i])
    else:
        @njit(error_model="numpy")
        def k(x,y,o):
            for i in range(x.size): o[i]=f(x[i],y[i])
    return k
def timing(k,*a):
    o=np.empty_like(a[0]); k(*a,o)
    best=1e9
    for _ in range(400):
        t=time.perf_counter(); k(*a,o); best=min(best,time.perf_counter()-t)
    return best/a[0].size*1e9
def vec(k,pat='x double>'):
    ll=k.inspect_llvm(k.signatures[0]); 
    c=len(re.findall(r'f(?:mul|add|sub|div)[^=\n]*<\d+ x (?:double|float)>',ll))
    return c
def ulp(got,want,dt=np.float64):
    w=dt(float(want)) if dt is np.float64 else np.float32(float(want))
    if not np.isfinite(w): return 0.0 if got==w else float('inf')
    if not np.isfinite(got):
        return float('inf')
    sp=float(np.spacing(abs(w)))
    return float(abs(mp.mpf(float(got))-want)/sp)
def acc(k,exact,pts,dt=np.float64):
    mp.mp.dps=50
    pts=[np.asarray(p,dt) for p in pts]
    o=np.empty_like(pts[0]); k(*pts,o)
    worst=(0,)
    for i in range(o.size):
        a=[float(p[i]) for p in pts]
        e=ulp(o[i],exact(*map(mp.mpf,a)),dt)
        if e>worst[0]: worst=(e,a,float(o[i]))
    return worst
rng=np.random.default_rng(1)
def logu(lo,hi,n,signed=True):
    v=10.0**rng.uniform(lo,hi,n)
    return v*rng.choice([-1,1],n) if signed else v
