import math, numpy as np, time, re
from numba import njit
jit=njit(error_model="numpy")
@jit
def fast(x):
    y=x*0.6366197723675814+6755399441055744.0
    n=y-6755399441055744.0
    r=(x-n*1.5707963267341256)-n*6.077100506506192e-11
    z=r*r
    s=r+r*z*(-1/6.+z*(1/120.+z*(-1/5040.+z*(1/362880.+z*(-1/39916800.)))))
    c=1-0.5*z+z*z*(1/24.+z*(-1/720.+z*(1/40320.)))
    q=np.float64(y).view(np.int64)
    t=c if q&1 else s
    return -t if q&2 else t
@jit
def vA(x):
    if abs(x) > 1e6:
        return math.sin(x)
    return fast(x)
@jit
def vB(x):
    f=fast(x)
    return f if abs(x)<1e6 else math.sin(x)
def mk(f):
    @jit
    def k(x,o):
        for i in range(x.size): o[i]=f(x[i])
    return k
x=np.random.default_rng(0).uniform(-10,10,4096); out=np.empty_like(x)
xb=x.copy(); xb[::64]*=1e7
for f in (fast,vA,vB):
    k=mk(f); k(x,out)
    ts=[]
    for xx in (x,xb,x*1e7):
        ts.append(min((lambda t0:(k(xx,out),time.perf_counter()-t0)[1])(time.perf_counter()) for _ in range(300))/4.096e-6)
    print(f.__name__, ts, '<4 x double>' in k.inspect_llvm(k.signatures[0]), np.abs(out-np.sin(xx)).max())
open('/tmp/vm/vB.ll','w').write(k.inspect_llvm(k.signatures[0])); open('/tmp/vm/vB.s','w').write(k.inspect_asm(k.signatures[0]))
