from poly import *
def erfcx(x):
    with mp.workdps(80+int(x*x/2)): return mp.exp(x*x)*mp.erfc(x)
lo,hi=mp.mpf('0.745'),mp.mpf('6.01')
K=3.0
print(horner(fit(lambda u: erfcx(K*(1+u)/(1-u)),(lo-K)/(lo+K),(hi-K)/(hi+K),15),"t"))
