import sys; sys.path.insert(0,'/tmp/vm')
from meas import *
x=rng.uniform(.1,.9,4096).astype(np.float32)
for n in ("exp","expm1","log","log1p","tanh","sin","cos","tan","asin","acos","atan","sinh","cosh","erf","erfc"):
    d={}
    exec(f"import math\ndef f(x): return math.{n}(x)",d); k=arr(njit(error_model='numpy')(d['f'])); 
    print(n, "%.2f %.2f"%(timing(k,x), timing(k,(x*20).astype(np.float32))))
