from poly import *
L=mp.log(2)/2*mp.mpf('1.001')
def em(r): # (e^r-1-r)/r^2
    return mp.mpf(1)/2 if r==0 else (mp.expm1(r)-r)/r**2
for n in (8,9,10):
    p=rnd(fit(em,-L,L,n)); print(n, err(lambda r: mp.expm1(r),[0,1]+p,-L,L,rel=lambda r: abs(mp.expm1(r))))
p=fit(em,-L,L,9); print("EXPM1 deg 9"); print(horner(p,"r"))
def ch(z): return mp.mpf(1)/2 if z==0 else (mp.cosh(mp.sqrt(z))-1)/z
def sh(z): return mp.mpf(1)/6 if z==0 else (mp.sinh(mp.sqrt(z))/mp.sqrt(z)-1)/z
for n in (4,5,6):
    p=rnd(fit(ch,0,L*L,n)); print("ch",n,err(lambda z:mp.cosh(mp.sqrt(z)),[1]+p,0,L*L))
    p=rnd(fit(sh,0,L*L,n)); print("sh",n,err(lambda z:mp.sinh(mp.sqrt(z))/mp.sqrt(z) if z else mp.mpf(1),[1]+p,0,L*L))
print("cosh"); print(horner(fit(ch,0,L*L,5),"z","c")); print("sinh"); print(horner(fit(sh,0,L*L,5),"z","s"))
# log: log1p(f)=2 atanh(s), R: log = f - hfsq + s*(hfsq+R); R = z*(2/3+..) since 2atanh(s)-2s= s*R
S=(mp.sqrt(2)-1)/(mp.sqrt(2)+1)*mp.mpf('1.001')
def R(z): return mp.mpf(2)/3 if z==0 else (2*mp.atanh(mp.sqrt(z))/mp.sqrt(z)-2)/z
for n in (5,6,7):
    p=rnd(fit(R,0,S*S,n)); print("R",n,err(lambda z:2*mp.atanh(mp.sqrt(z))/mp.sqrt(z) if z else mp.mpf(2),[2]+p,0,S*S))
print("LOG"); print(horner(fit(R,0,S*S,6),"z"))
# pow: log = 2s + s^3(2/3 + z*Q)
def Q(z): return mp.mpf(2)/5 if z==0 else (R(z)-mp.mpf(2)/3)/z
for n in (6,7,8):
    p=rnd(fit(Q,0,S*S,n)); print("Q",n,err(R,[mp.mpf(2)/3]+p,0,S*S))
print(horner(fit(Q,0,S*S,7),"z"))
l2=mp.log(2)
def split(v,parts):
    out=[]
    for bits in parts:
        if bits is None: out.append(float(v)); v-=mp.mpf(out[-1]); continue
        m,e=mp.frexp(v); q=mp.floor(m*mp.mpf(2)**bits)*mp.mpf(2)**(int(e)-bits); out.append(float(q)); v-=q
    return out
print("ln2 split32", [repr(a) for a in split(l2,[32,None])], "il2 split", split(1/l2,[26,None]), split(1/mp.log(10),[26,None]), "log10(2)",split(mp.log(2)/mp.log(10),[40,None]))
print("1/ln2 dd",[float(1/l2), float(1/l2-mp.mpf(float(1/l2)))], "ln2 dd",[float(l2), float(l2-mp.mpf(float(l2)))])
print("2/3 dd", float(mp.mpf(2)/3-mp.mpf(float(mp.mpf(2)/3))))
print("pi/2 parts33", split(mp.pi/2,[33,33,33,None]), split(mp.pi/2,[27,27,27,27,None]),split(mp.pi/2,[25]*5+[None]))
# erf
def er(z): return mp.mpf(2)/mp.sqrt(mp.pi) if z==0 else mp.erf(mp.sqrt(z))/mp.sqrt(z)
