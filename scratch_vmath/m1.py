from meas import *
ns=load("vector_math","vector_log","vector_power")
N=int(sys.argv[1]) if len(sys.argv)>1 else 4000
sel=sys.argv[2:]
P=lambda *a: np.concatenate(a)
gen={
"vexp":(mp.exp,P(rng.uniform(-708,709.7,N),logu(-300,2.8,N)[:],rng.normal(size=N))),
"vexpm1":(mp.expm1,P(rng.uniform(-40,709.7,N),rng.uniform(-2,2,N),logu(-300,1.5,N))),
"vtanh":(mp.tanh,P(rng.uniform(-20,20,N),rng.normal(size=N),logu(-300,2,N))),
"vsinh":(mp.sinh,P(rng.uniform(-710,710.4,N),rng.normal(size=N)*2,logu(-300,2.8,N))),
"vcosh":(mp.cosh,P(rng.uniform(-710,710.4,N),rng.normal(size=N)*2,logu(-300,2.8,N))),
"vsigmoid":(lambda x:1/(1+mp.exp(-x)),P(rng.uniform(-708,40,N),rng.normal(size=N),logu(-300,2.8,N))),
"vlog":(mp.log,P(logu(-323,308,N,False),rng.uniform(.5,2,N),1+logu(-16,-1,N),rng.uniform(1e-310,2e-308,100))),
"vlog2":(lambda x:mp.log(x)/mp.log(2),P(logu(-323,308,N,False),rng.uniform(.5,2,N),1+logu(-16,-1,N))),
"vlog10":(lambda x:mp.log(x)/mp.log(10),P(logu(-323,308,N,False),rng.uniform(.5,2,N),1+logu(-16,-1,N))),
"vlog1p":(lambda x: mp.log1p(x),P(logu(-320,308,N,False),rng.uniform(-1,2,N),-1+logu(-16,0,N,False),logu(-18,-.1,N))),
"vsoftplus":(lambda x: mp.log1p(mp.exp(x)),P(rng.uniform(-708,40,N),rng.normal(size=N)*3,logu(-300,2.8,N))),
"vcbrt":(lambda x: mp.sign(x)*mp.cbrt(abs(x)),P(logu(-323,308,N),rng.uniform(.1,10,N))),
}
x=rng.uniform(.1,.9,4096)
for n,(ex,p) in gen.items():
    if sel and n not in sel: continue
    if n in("vexp","vsigmoid"): p=p[(p>-708)&(p<709.7)]
    if n=="vexpm1": p=p[p<709.7]
    k=arr(ns[n]); 
    t0=time.time(); k(x,np.empty_like(x)); tc=time.time()-t0
    print(f"{n:10s} ns {timing(k,x):.2f} vecops {vec(k)} compile {tc:.2f}s", acc(k,ex,[p]),flush=True)
if not sel or "vpower" in sel:
    k=arr(ns["vpower"],2); y=rng.uniform(-3,3,4096); k(x,y,np.empty_like(x)); print("vpower ns",timing(k,x,y),vec(k))
    a=logu(-300,300,N,False); b=rng.uniform(-1,1,N)*700/np.abs(np.log(a))
    print(acc(k,mp.power,[a,b]))
    a=rng.uniform(.1,10,N); b=rng.uniform(-20,20,N)
    print(acc(k,mp.power,[a,b]))
    a=1+logu(-10,-1,N); b=rng.uniform(-1,1,N)*708/np.abs(np.log(a))
    print(acc(k,mp.power,[a,b]))
if not sel or "vlogaddexp" in sel:
    k=arr(ns["vlogaddexp"],2); k(x,x,np.empty_like(x)); print("vlogaddexp ns",timing(k,x,x[::-1].copy()),vec(k))
    a=rng.normal(size=N)*5; b=rng.normal(size=N)*5
    print(acc(k,lambda x,y: mp.log(mp.exp(x)+mp.exp(y)),[a,b]))
