from meas import *
from symbackprop.ops.vector_power import *
from symbackprop.ops.vector_log import vlog_split
mp.mp.dps=60
for x in (1.0000000151765813, 8.272342843004445e+246,1.3,0.8):
    h,l=vlog_pair(x); L=mp.log(mp.mpf(x)); print(x, mp.nstr((mp.mpf(float(h))+mp.mpf(float(l))-L)/L,5), mp.log(abs((mp.mpf(float(h))+mp.mpf(float(l))-L)/L),2))
a,b=1.2345678901234567,7.654321098765e10
p,e=vproduct(a,b); print(mp.nstr((mp.mpf(a)*b-p-mp.mpf(float(e)))/(mp.mpf(a)*b),5))
x=1.3; f=x-1; d=2+f; s=f/d; p,e=vproduct(s,d); t=(((f - p) - e) - s * (f - (d - 2.0))) * (0.5 - 0.5 * s); print(mp.nstr((mp.mpf(f)/(2+mp.mpf(f))-s-mp.mpf(float(t)))/s,5))
z,rest=vproduct(s,s); rest+=2*s*t; S=mp.mpf(f)/(2+mp.mpf(f)); print(mp.nstr((S*S-mp.mpf(float(z))-mp.mpf(float(rest)))/z,5))
print("----")
for x,y in ((8.272342843004445e+246, 1.1247184466165723),(2.2597424422279732e-244, -1.1953709938911122)):
    w=mp.power(mp.mpf(x),mp.mpf(y))
    print(ulp(float(vpower(x,y)),w), float(vpower(x,y)), float(w))
    h,l=vlog_pair(x); p,e=vproduct(y,h); e+=y*l; print(mp.nstr(mp.mpf(float(p))+mp.mpf(float(e))-mp.log(mp.mpf(x))*y,5))
    from symbackprop.ops.vector_math import *
    r,c,k=vexp_reduced(p); print(mp.nstr(mp.mpf(float(r))+mp.mpf(float(c))+int(k)*mp.log(2)-mp.mpf(float(p)),5), k)
    c=c+e; q=r+(vexp_tail(r)+c*(1+r)); T=mp.exp(mp.mpf(float(r))+mp.mpf(float(c)))
    print("q", r, c, mp.nstr((1+mp.mpf(float(q)))/T-1,5), mp.nstr(mp.ldexp(T,int(k))/w-1,5))
