"""latency of the forms in loops too short to vectorise: n=3"""
import sys; sys.argv=["x","1"]
exec(open('/tmp/vm/table.py').read().split("NP={")[0])
import time
for name in ("exp","log","tanh","sigmoid","softplus","power","erf","erfc","sinh","atan2","log1p","cbrt"):
    x=np.array([.3,.7,1.9]); y=np.array([.4,1.2,2.2]); o=np.empty(3)
    r=[]
    for k in (build(name,"float64",True),plainform(name)):
        n=arity(name)
        if n==1:
            @njit
            def rep(x,y,o,m):
                for j in range(m):
                    k(x,o); x[0]=o[0]*1e-9+.3
        else:
            @njit
            def rep(x,y,o,m):
                for j in range(m):
                    k(x,y,o); x[0]=o[0]*1e-9+.3
        rep(x,y,o,10); t=min((lambda t0:(rep(x,y,o,20000),time.perf_counter()-t0)[1])(time.perf_counter()) for _ in range(7)); r.append(t/20000/3*1e9)
    print(name, "forms %.1f libm %.1f ns/entry at n=3"%tuple(r))
