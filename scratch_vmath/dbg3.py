from meas import *
from symbackprop.ops.vector_single_trig import *
from symbackprop.ops.vector_single import *
mp.mp.dps=40
f=np.float32
x=f(0.5598432421684265)
src=inspect.getsource(verfc32_tail).replace("    return out","    return locals()")
ns={"np":np,"math":math,"vproduct32":vproduct32,"vexp32_reduced":vexp32_reduced,"vexp32_tail":vexp32_tail,"vfloat32":vfloat32}
exec("from __future__ import annotations\n"+src,ns)
L=ns["verfc32_tail"](x)
M=lambda v: mp.mpf(float(v))
X=M(x); 
P=(1+2*X)*mp.exp(X*X)*mp.erfc(X)
for k in L: print(k,repr(L[k]))
print("v err (rel 2^-24)", mp.nstr(((M(L['v']))-P/(1+2*X))/(P/(1+2*X))*2**24,5), "p err", mp.nstr((M(L['p'])-P)/P*2**24,5))
print("v+lost", mp.nstr(((M(L['v'])+M(L['lost']))*1-P/(1+2*X))/(P/(1+2*X))*2**24,5))
print("q err", mp.nstr((M(L['q'])-mp.expm1(-X*X))/mp.expm1(-X*X)*2**24,5), "r+c", mp.nstr((M(L['r'])+M(L['c'])+X*X)*2**24,5))
print(float(L['out']), mp.nstr(mp.erfc(X),12), ulp(L['out'],mp.erfc(X),np.float32))
V=M(L['v']);Q=M(L['q']);LO=M(L['lost']); print("exact comb", mp.nstr((V+(V*Q+LO)-mp.erfc(X))*2**25,5), "with (1+q)*lost", mp.nstr((V+V*Q+LO*(1+Q)-mp.erfc(X))*2**25,5))
