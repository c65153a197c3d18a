from meas import *
from symbackprop.ops.vector_power import *
for x in (9.467683570317805,1.3,8.0,27.0,2.0,.9,5e-324): print(x, float(vcbrt(x)), ulp(float(vcbrt(x)),mp.cbrt(mp.mpf(x))))
