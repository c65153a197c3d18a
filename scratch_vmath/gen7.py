from poly import *
import numpy as np
f32=lambda v: float(np.float32(float(v)))
def erfcx(x):
    if x>25: raise ValueError
    with mp.workdps(80+int(x*x/2)): return mp.exp(x*x)*mp.erfc(x)
K=mp.mpf(3); top=(mp.mpf('10.2')-K)/(mp.mpf('10.2')+K)
g=lambda t: (1+2*(K*(1+t)/(1-t)))*erfcx(K*(1+t)/(1-t))
pts=[-1+(top+1)*mp.mpf(i)/200 for i in range(201)]; G=[g(t) for t in pts]
cur=[mp.mpf(f32(float(str(c)))) for c in (-0.00027545603,-0.0007931826,0.001998225,0.002578218,-0.023792459,0.06829324,-0.11927229,0.12964664,-0.047562297,-0.13562115)][::-1]
cur=[mp.mpf(f32(1.253008))+mp.mpf(5.7974336e-08)]+cur
w=[sum(c*t**k for k,c in enumerate(cur))-v for t,v in zip(pts,G)]
print("current", mp.nstr(max(map(abs,w)),3))
for n in (10,11,12):
    import numpy.linalg as la
    done={}
    # iterative rounding from high to low with chebyshev refit
    for top_k in range(n,0,-1):
        h=lambda t: g(t)-sum(c*t**k for k,c in done.items())
        p=fit(h,-1,top,top_k)
        done[top_k]=mp.mpf(f32(p[top_k]))
    h=lambda t: g(t)-sum(c*t**k for k,c in done.items())
    c0=fit(h,-1,top,0)[0]
    vals=[h(t) for t in pts]; c0=(max(vals)+min(vals))/2
    c0h=mp.mpf(f32(c0)); c0l=f32(c0-c0h)
    full=[c0h+mp.mpf(c0l)]+[done[k] for k in range(1,n+1)]
    e=max(abs(sum(c*t**k for k,c in enumerate(full))-v) for t,v in zip(pts,G))
    print(n, mp.nstr(e,3)); print(horner([mp.mpf(float(str(np.float32(float(c))))) for c in full],"t")); print("lo",np.float32(c0l), float(c0h))
