from poly import *
L=mp.log(2)/2*mp.mpf('1.001')
def em(r): return mp.mpf(1)/6 if r==0 else (mp.expm1(r)-r-r*r/2)/r**3
p=rnd(fit(em,-L,L,8)); print("em3 deg8",err(lambda r: mp.expm1(r),[0,1,.5]+p,-L,L,401,rel=lambda r: abs(mp.expm1(r)))); print(horner(p,"r"))
P4=mp.pi/4*mp.mpf('1.0001'); ZZ=P4**2
def sn(z): return -mp.mpf(1)/6 if z==0 else (mp.sin(mp.sqrt(z))/mp.sqrt(z)-1)/z
def cs(z): return mp.mpf(1)/24 if z==0 else (mp.cos(mp.sqrt(z))-1+z/2)/z**2
for n in (4,5,6):
    p=rnd(fit(sn,0,ZZ,n)); print("sin",n,err(lambda z:mp.sin(mp.sqrt(z))/mp.sqrt(z) if z else mp.mpf(1),[1]+p,0,ZZ))
    p=rnd(fit(cs,0,ZZ,n)); print("cos",n,err(lambda z:mp.cos(mp.sqrt(z)),[1,-.5]+p,0,ZZ))
print(horner(fit(sn,0,ZZ,5),"z","s")); print(horner(fit(cs,0,ZZ,5),"z","c"))
T=(mp.sqrt(2)-1)*mp.mpf('1.001')
def at(z): return -mp.mpf(1)/3 if z==0 else (mp.atan(mp.sqrt(z))/mp.sqrt(z)-1)/z
for n in (8,9,10,11):
    p=rnd(fit(at,0,T*T,n)); print("atan",n,err(lambda z:mp.atan(mp.sqrt(z))/mp.sqrt(z) if z else mp.mpf(1),[1]+p,0,T*T))
print(horner(fit(at,0,T*T,10),"z"))
def asn(z): return mp.mpf(1)/6 if z==0 else (mp.asin(mp.sqrt(z))/mp.sqrt(z)-1)/z
for n in (10,11,12,13):
    p=rnd(fit(asn,0,.25,n)); print("asin",n,err(lambda z:mp.asin(mp.sqrt(z))/mp.sqrt(z) if z else mp.mpf(1),[1]+p,0,.25))
print(horner(fit(asn,0,.25,12),"z"))
# cbrt seed
a,b=mp.mpf('0.3535'),mp.mpf('2.829')
for n in (3,4,5,6):
    p=rnd(fit(lambda t:t**(-mp.mpf(1)/3),a,b,n)); print("cbrt",n,err(lambda t:t**(-mp.mpf(1)/3),p,a,b,rel=lambda t:t**(-mp.mpf(1)/3)))
print(horner(fit(lambda t:t**(-mp.mpf(1)/3),a,b,4),"t","y"))
# erf: small
def er(z): return (mp.mpf(2)/mp.sqrt(mp.pi) if z==0 else mp.erf(mp.sqrt(z))/mp.sqrt(z))-1
for top in (0.75,1.0):
  for n in (8,9,10,11,12):
    p=rnd(fit(er,0,top**2,n)); print("erf",top,n,err(er,p,0,top**2))
# erfc: (1+2x) exp(x^2) erfc(x), t=(x-K)/(x+K), x 0..inf
def erfcx(x):
    if x>25:
        s=mp.mpf(1);t=mp.mpf(1)
        for k in range(1,60):
            t*=-(2*k-1)/(2*x*x); 
            if abs(t)<mp.mpf(10)**-50: break
            s+=t
        return s/(x*mp.sqrt(mp.pi))
    with mp.workdps(80+int(x*x/2)): return mp.exp(x*x)*mp.erfc(x)
for K in (3.0,3.75,4.5):
  top=(mp.mpf(28)-K)/(28+K)
  g=lambda t: (1+2*(K*(1+t)/(1-t)))*erfcx(K*(1+t)/(1-t))
  for n in (18,20,22,24):
    p=fit(g,-1,top,n); print("erfcx",K,n,err(g,p,-1,top,150), err(g,rnd(p),-1,top,150))
