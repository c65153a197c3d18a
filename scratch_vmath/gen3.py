from poly import *
L=mp.log(2)/2*mp.mpf('1.001')
def em(r): 
    return mp.nsum(lambda k: r**k/mp.factorial(k+3),[0,mp.inf]) if 0 else sum(r**k/mp.factorial(k+3) for k in range(40))
for n in (7,8,9):
    p=rnd(fit(em,-L,L,n)); print("em3 deg",n,err(lambda r: mp.expm1(r),[0,1,.5]+p,-L,L,401,rel=lambda r: abs(mp.expm1(r))))
print(horner(fit(em,-L,L,8),"r"))
def er(z): return (mp.mpf(2)/mp.sqrt(mp.pi) if z==0 else mp.erf(mp.sqrt(z))/mp.sqrt(z))-1
print("erf small");print(horner(fit(er,0,.75**2,10),"z"))
def erfcx(x):
    if x>25:
        s=mp.mpf(1);t=mp.mpf(1)
        for k in range(1,60):
            t*=-(2*k-1)/(2*x*x); 
            if abs(t)<mp.mpf(10)**-50: break
            s+=t
        return s/(x*mp.sqrt(mp.pi))
    with mp.workdps(80+int(x*x/2)): return mp.exp(x*x)*mp.erfc(x)
K=3.0
top=(mp.mpf(28)-K)/(28+K)
g=lambda t: (1+2*(K*(1+t)/(1-t)))*erfcx(K*(1+t)/(1-t))
print("erfc");print(horner(fit(g,-1,top,22),"t"))
