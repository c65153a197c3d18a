from poly import *
def erfcx(x):
    with mp.workdps(80+int(x*x/2)): return mp.exp(x*x)*mp.erfc(x)
lo,hi=mp.mpf('0.745'),mp.mpf('6.01')
best=None
for K in (1.5,2.0,2.5,3.0):
  t=lambda x:(x-K)/(x+K)
  inv=lambda t:K*(1+t)/(1-t)
  for n in (11,12,13,14,15,16):
    p=rnd(fit(lambda u: erfcx(inv(u)),t(lo),t(hi),n))
    w=max(abs(sum(c*t(x)**k for k,c in enumerate(p))-erfcx(x))*mp.exp(-x*x) for x in [lo+(hi-lo)*(mp.mpf(i)/150)**2 for i in range(151)])
    print(K,n,mp.nstr(w,3))
K=2.0
for n in (13,14): print(horner(fit(lambda u: erfcx(K*(1+u)/(1-u)),(lo-K)/(lo+K),(hi-K)/(hi+K),n),"t"))
