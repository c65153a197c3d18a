from meas import *
ns=load("vector_math","vector_log","vector_power","vector_trig","vector_erf")
N=int(sys.argv[1]) if len(sys.argv)>1 else 4000
sel=sys.argv[2:]
P=lambda *a: np.concatenate(a)
q=np.arange(-4000,4000)*(np.pi/2)
wide=P(rng.uniform(-1e6,1e6,N),logu(-300,6,N),rng.uniform(-8,8,N),q,np.nextafter(q,9e9),rng.integers(-600000,600000,N)*(np.pi/2))
unit=P(rng.uniform(-1,1,N),rng.choice([-1,1],N)*(1-10.0**rng.uniform(-16,0,N)),logu(-300,0,N),rng.uniform(.4,.6,N))
ev=P(rng.uniform(-6,6,N),logu(-300,1,N),rng.normal(size=N))
gen={"vsin":(mp.sin,wide),"vcos":(mp.cos,wide),"vtan":(mp.tan,wide),"vatan":(mp.atan,P(logu(-300,300,N),rng.uniform(-4,4,N))),
"vasin":(mp.asin,unit),"vacos":(mp.acos,unit),"verf":(mp.erf,ev),"verfc":(mp.erfc,P(ev,rng.uniform(0,26.5,N))),}
x=rng.uniform(.1,.9,4096)
for n,(ex,p) in gen.items():
    if sel and n not in sel: continue
    k=arr(ns[n]); 
    t0=time.time(); k(x,np.empty_like(x)); tc=time.time()-t0
    print(f"{n:10s} ns {timing(k,x):.2f} vecops {vec(k)} compile {tc:.2f}s", acc(k,ex,[p]),flush=True)
if not sel or "vatan2" in sel:
    k=arr(ns["vatan2"],2); y=rng.uniform(-3,3,4096); k(x,y,np.empty_like(x)); print("vatan2 ns",timing(k,x,y),vec(k))
    print(acc(k,mp.atan2,[rng.normal(size=N),rng.normal(size=N)])); print(acc(k,mp.atan2,[logu(-150,150,N),logu(-150,150,N)]))
