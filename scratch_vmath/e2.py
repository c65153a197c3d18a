from m3 import *
ns=load32("vector_single","vector_single_trig"); k=arr(ns["verfc32"])
for lo,hi in ((0,.1),(.1,.3),(.3,.5),(.5,.6),(.6,.75),(.75,1),(1,2),(2,4),(4,9)): print(lo,hi,acc(k,mp.erfc,[rng.uniform(lo,hi,4000)],np.float32))
