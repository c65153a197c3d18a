from meas import *
ns=load("vector_math","vector_log","vector_power","vector_erf")
k=arr(ns["verfc"]); 
for lo,hi in ((0,.1),(.1,.3),(.3,.5),(.5,.75),(.75,1),(1,2),(2,4),(4,10),(10,26.5),(-1,0)):
    print(lo,hi,acc(k,mp.erfc,[rng.uniform(lo,hi,1500)]))
