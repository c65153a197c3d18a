"""near-minimax polynomials: Chebyshev interpolation then conversion, at 60 digits."""
import mpmath as mp
mp.mp.dps=60
def fit(f,a,b,n):
    a,b=mp.mpf(a),mp.mpf(b); m=(a+b)/2; h=(b-a)/2
    N=n+1
    xs=[mp.cos(mp.pi*(2*k+1)/(2*N)) for k in range(N)]
    fs=[f(m+h*x) for x in xs]
    c=[2/mp.mpf(N)*sum(fs[k]*mp.cos(j*mp.pi*(2*k+1)/(2*N)) for k in range(N)) for j in range(N)]
    c[0]/=2
    # chebyshev -> monomial in u
    T=[[mp.mpf(1)],[mp.mpf(0),mp.mpf(1)]]
    for j in range(2,N):
        t=[mp.mpf(0)]+[2*v for v in T[-1]]
        for i,v in enumerate(T[-2]): t[i]-=v
        T.append(t)
    p=[mp.mpf(0)]*N
    for j in range(N):
        for i,v in enumerate(T[j]): p[i]+=c[j]*v
    # substitute u=(x-m)/h
    out=[mp.mpf(0)]*N
    for i in range(N-1,-1,-1):
        new=[mp.mpf(0)]*N
        for k,v in enumerate(out):
            if k+1<N: new[k+1]+=v/h
            new[k]-=v*m/h
        new[0]+=p[i]
        out=new
    return out
def err(f,p,a,b,n=400,rel=None):
    w=0
    for i in range(n+1):
        x=mp.mpf(a)+(mp.mpf(b)-a)*i/n
        try: v=f(x)
        except ZeroDivisionError: continue
        e=abs(sum(c*x**k for k,c in enumerate(p))-v)
        if rel and rel(x): e/=rel(x)
        w=max(w,e)
    return mp.nstr(w,3)
def rnd(p,f32=False):
    import numpy as np
    return [float(np.float32(float(c))) if f32 else float(c) for c in p]
def horner(p,var,name="p",f32=False,):
    import numpy as np
    if f32:
        s=[repr(float(str(np.float32(float(c))))) for c in p]
    else: s=[repr(float(c)) for c in p]
    lines=[f"    {name} = {s[-1]}"]
    for c in s[-2::-1]:
        lines.append(f"    {name} = {name} * {var} {'- '+c[1:] if c[0]=='-' else '+ '+c}")
    return "\n".join(lines)
