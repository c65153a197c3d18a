from poly import *
import numpy as np
f32=lambda v: float(str(np.float32(float(v))))
def H(p,var,name="p"): return horner([f32(c) for c in p],var,name)
def best(f,a,b,tol,wt=lambda x:1,base=None,lo=1):
    for n in range(lo,24):
        p=fit(f,a,b,n)
        w=max(abs(sum(c*x**k for k,c in enumerate(p))-f(x))*wt(x) for x in [mp.mpf(a)+(mp.mpf(b)-a)*i/200 for i in range(201)])
        if w<tol: return n,p,w
T=mp.mpf(2)**-28
L=mp.log(2)/2*mp.mpf('1.001')
em=lambda r: sum(r**k/mp.factorial(k+3) for k in range(30))
def show(name,r,var): print(name,"deg",r[0],mp.nstr(r[2],3)); print(H(r[1],var))
show("exp",best(em,-L,L,T,lambda r:r*r),"r")
ch=lambda z: sum(z**k/mp.factorial(2*k+2) for k in range(20)); sh=lambda z: sum(z**k/mp.factorial(2*k+3) for k in range(20))
show("cosh",best(ch,0,L*L,T,lambda z:z),"z"); show("sinh",best(sh,0,L*L,T,lambda z:z),"z")
S=(mp.sqrt(2)-1)/(mp.sqrt(2)+1)*mp.mpf('1.001')
R=lambda z: sum(2*z**k/mp.mpf(2*k+3) for k in range(60))
show("log",best(R,0,S*S,T,lambda z:z/2),"z")
Q=lambda z: sum(2*z**k/mp.mpf(2*k+5) for k in range(60))
show("powQ",best(Q,0,S*S,mp.mpf(2)**-36,lambda z:z*z/2),"z")
P4=mp.pi/4*mp.mpf('1.0001'); ZZ=P4**2
sn=lambda z: sum((-1)**(k+1)*z**k/mp.factorial(2*k+3) for k in range(20)); cs=lambda z: sum((-1)**k*z**k/mp.factorial(2*k+4) for k in range(20))
show("sin",best(sn,0,ZZ,T,lambda z:z),"z"); show("cos",best(cs,0,ZZ,T,lambda z:z*z),"z")
TT=(mp.sqrt(2)-1)*mp.mpf('1.001')
at=lambda z: sum((-1)**(k+1)*z**k/mp.mpf(2*k+3) for k in range(90))
show("atan",best(at,0,TT*TT,T,lambda z:z),"z")
asn=lambda z: mp.mpf(1)/6 if z==0 else (mp.asin(mp.sqrt(z))/mp.sqrt(z)-1)/z
show("asin",best(asn,mp.mpf(0),mp.mpf('.25'),T,lambda z:z),"z")
show("cbrt seed",best(lambda t:t**(-mp.mpf(1)/3),mp.mpf('0.3535'),mp.mpf('2.829'),.012,lambda t:1),"t")
er=lambda z: sum((-1)**k*z**k/(mp.factorial(k)*(2*k+1)) for k in range(60))*2/mp.sqrt(mp.pi)-1
show("erf small",best(er,0,mp.mpf('.5625'),T),"z")
def erfcx(x):
    if x>25:
        s=mp.mpf(1);t=mp.mpf(1)
        for k in range(1,60):
            t*=-(2*k-1)/(2*x*x)
            if abs(t)<mp.mpf(10)**-50: break
            s+=t
        return s/(x*mp.sqrt(mp.pi))
    with mp.workdps(80+int(x*x/2)): return mp.exp(x*x)*mp.erfc(x)
for K in (2.0,3.0):
    top=(mp.mpf('10.3')-K)/(mp.mpf('10.3')+K); g=lambda t: (1+2*(K*(1+t)/(1-t)))*erfcx(K*(1+t)/(1-t))
    r=best(g,mp.mpf(-1),top,T,lo=6); show(f"erfc {K}",r,"t"); print("c0lo", float(r[1][0]-mp.mpf(f32(r[1][0]))))
    lo,hi=mp.mpf('0.745'),mp.mpf('4.1')
    r=best(lambda u: erfcx(K*(1+u)/(1-u)),(lo-K)/(lo+K),(hi-K)/(hi+K),T/8,lambda u: mp.exp(-(K*(1+u)/(1-u))**2),lo=4); show(f"erf tail {K}",r,"t")
def split(v,bits):
    out=[]
    for b in bits:
        if b is None: out.append(f32(v)); break
        m,e=mp.frexp(v); q=mp.floor(m*mp.mpf(2)**b)*mp.mpf(2)**(int(e)-b); out.append(float(q)); v-=q
    return out
print("ln2",split(mp.log(2),[16,None]),split(mp.log(2),[16,8,None]),"1/ln2",split(1/mp.log(2),[12,None]),"1/ln10",split(1/mp.log(10),[12,None]),"log10 2",split(mp.log(2)/mp.log(10),[16,None]))
print("2/3", f32(mp.mpf(2)/3), float(mp.mpf(2)/3-mp.mpf(f32(mp.mpf(2)/3))), float(mp.mpf(2)/3-mp.mpf(float(np.float32(2/3)))))
print("pi/2",f32(mp.pi/2), float(mp.pi/2-mp.mpf(float(np.float32(float(mp.pi/2))))), "pi", float(mp.pi-mp.mpf(float(np.float32(float(mp.pi))))), np.float32(np.pi), "pi/4 20 bits",split(mp.pi/4,[20,None]), "pi/4",np.float32(np.pi/4),float(mp.pi/4-mp.mpf(float(np.float32(np.pi/4)))))
b=lambda v:int(np.float32(v).view(np.int32))
print("bits",b(12582912.0), b(.5**.5), b(1)-b(.5**.5), b(2.0**23), "min normal", np.finfo(np.float32).tiny)
