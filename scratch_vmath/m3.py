from meas import *
import ast
from symbackprop.codegen.expression import helper_source
def load32(*mods, fast=None):
    ns={"math":math,"np":np,"float32":np.float32}
    jit=njit(error_model="numpy",forceinline=True)
    for m in mods:
        M=importlib.import_module("symbackprop.ops."+m)
        for n in M.__all__:
            src=helper_source(getattr(M,n),"float32"); exec(src,ns); ns[n]=jit(ns[n])
    return ns
def checked(k):
    bad=[]
    return bad
if __name__=="__main__":
    mods=["vector_single"]+(["vector_single_trig"] if "T" in sys.argv else [])
    ns=load32(*mods)
    N=int(sys.argv[1]); sel=[a for a in sys.argv[2:] if a!="T"]
    P=lambda *a: np.concatenate(a)
    def lu(lo,hi,n,s=True): return logu(lo,hi,n,s)
    unit=P(rng.uniform(-1,1,N),rng.choice([-1,1],N)*(1-10.0**rng.uniform(-7,0,N)),lu(-38,0,N),rng.uniform(.4,.6,N))
    gen={
    "vexp32":(mp.exp,P(rng.uniform(-87,88.7,N),rng.normal(size=N))),
    "vexpm1_32":(mp.expm1,P(rng.uniform(-20,88,N),rng.uniform(-2,2,N),lu(-38,1.5,N))),
    "vtanh32":(mp.tanh,P(rng.uniform(-10,10,N),rng.normal(size=N),lu(-38,2,N))),
    "vsinh32":(mp.sinh,P(rng.uniform(-89,89.4,N),rng.normal(size=N)*2,lu(-38,1.9,N))),
    "vcosh32":(mp.cosh,P(rng.uniform(-89,89.4,N),rng.normal(size=N)*2,lu(-38,1.9,N))),
    "vsigmoid32":(lambda x:1/(1+mp.exp(-x)),P(rng.uniform(-87,20,N),rng.normal(size=N))),
    "vlog32":(mp.log,P(lu(-45,38,N,False),rng.uniform(.5,2,N),1+lu(-7,-1,N))),
    "vlog2_32":(lambda x:mp.log(x)/mp.log(2),P(lu(-45,38,N,False),rng.uniform(.5,2,N),1+lu(-7,-1,N))),
    "vlog10_32":(lambda x:mp.log(x)/mp.log(10),P(lu(-45,38,N,False),rng.uniform(.5,2,N),1+lu(-7,-1,N))),
    "vlog1p32":(mp.log1p,P(lu(-44,38,N,False),rng.uniform(-1,2,N),-1+lu(-7,0,N,False),lu(-9,-.1,N))),
    "vsoftplus32":(lambda x: mp.log1p(mp.exp(x)),P(rng.uniform(-87,40,N),rng.normal(size=N)*3)),
    "vcbrt32":(lambda x: mp.sign(x)*mp.cbrt(abs(x)),P(lu(-44,38,N),rng.uniform(.1,10,N))),
    "vatan32":(mp.atan,P(lu(-38,38,N),rng.uniform(-4,4,N))),"vasin32":(mp.asin,unit),"vacos32":(mp.acos,unit),
    "verf32":(mp.erf,P(rng.uniform(-4,4,N),lu(-38,1,N))),"verfc32":(mp.erfc,P(rng.uniform(-4,9.1,N),lu(-38,.9,N))),
    }
    x=rng.uniform(.1,.9,4096).astype(np.float32)
    for n,(ex,p) in gen.items():
        if n not in ns or sel and n not in sel: continue
        k=arr(ns[n]); t0=time.time(); k(x,np.empty_like(x)); tc=time.time()-t0
        wide=[v for v,t in ns[n].overloads[ns[n].signatures[0]].type_annotation.typemap.items() if "float64" in str(t) and not v.startswith("$const") and "load_attr" not in v and "unary" not in v]
        print(f"{n:12s} ns {timing(k,x):.2f} vecops {vec(k)} compile {tc:.2f}s", acc(k,ex,[p],np.float32),wide,flush=True)
    for n,ex,pts in (("vpower32",mp.power,[(lu(-38,38,N,False),None),(rng.uniform(.1,10,N),rng.uniform(-20,20,N))]),("vlogaddexp32",lambda x,y: mp.log(mp.exp(x)+mp.exp(y)),[(rng.normal(size=N)*5,rng.normal(size=N)*5)]),("vatan2_32",mp.atan2,[(rng.normal(size=N),rng.normal(size=N)),(lu(-15,15,N),lu(-15,15,N))])):
        if n not in ns or sel and n not in sel: continue
        k=arr(ns[n],2); y=rng.uniform(-3,3,4096).astype(np.float32); k(x,y,np.empty_like(x)); print(n,"ns",timing(k,x,y),vec(k))
        for a,b in pts:
            if b is None: b=rng.uniform(-1,1,N)*86/np.abs(np.log(a))
            print(acc(k,ex,[a,b],np.float32))
