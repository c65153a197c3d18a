import math, numpy as np, time
from numba import njit
import scipy.special as sc
fs=["exp","expm1","log","log1p","tanh","sin","cos","tan","asin","acos","atan","sinh","cosh","erf","erfc","log2","log10","sqrt"]
x=np.random.default_rng(0).uniform(0.1,0.9,4096); out=np.empty_like(x)
for n in fs:
    ns={}
    exec(f"import math\nfrom numba import njit\n@njit(error_model='numpy')\ndef k(x,o):\n    for i in range(x.size):\n        o[i]=math.{n}(x[i])\n",ns)
    k=ns['k']; k(x,out)
    best=min((lambda t0:(k(x,out),time.perf_counter()-t0)[1])(time.perf_counter()) for _ in range(300))
    fn=getattr(np,{'asin':'arcsin','acos':'arccos','atan':'arctan'}.get(n,n),None) or getattr(sc,n)
    b2=min((lambda t0:(fn(x,out),time.perf_counter()-t0)[1])(time.perf_counter()) for _ in range(300))
    asm=k.inspect_llvm(k.signatures[0])
    import re
    print(n, "libm %.2f numpy %.2f ns"%(best/4.096e-6,b2/4.096e-6), "llvm.%s"%n in asm, '<4 x double>' in asm)
@njit(error_model='numpy')
def pw(x,y,o):
    for i in range(x.size): o[i]=x[i]**y[i]
@njit(error_model='numpy')
def cb(x,y,o):
    for i in range(x.size): o[i]=np.cbrt(x[i])
@njit(error_model='numpy')
def a2(x,y,o):
    for i in range(x.size): o[i]=math.atan2(x[i],y[i])
for k in (pw,cb,a2):
    k(x,x,out)
    print(k.__name__, min((lambda t0:(k(x,x,out),time.perf_counter()-t0)[1])(time.perf_counter()) for _ in range(300))/4.096e-6)
