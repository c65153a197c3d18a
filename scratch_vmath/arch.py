import sys; sys.argv=["x","1"]
exec(open('/tmp/vm/table.py').read().split("NP={")[0])
bad=[]
for dtype in DTYPES:
    num="double" if dtype=="float64" else "float"
    for name in sorted(VECTOR):
        k=build(name,dtype,True)
        from numba import types
        a=types.Array(types.float64 if dtype=="float64" else types.float32,1,"C")
        k.compile((a,)*(arity(name)+1))
        t="\n".join(k.inspect_llvm().values())
        m=re.findall(rf"fmul (?:contract )?<(\d+) x {num}>",t)
        print(dtype,name,len(m),set(m),end="; ")
print()
