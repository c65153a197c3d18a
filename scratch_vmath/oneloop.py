import sys; sys.path.insert(0,'/tmp/wt2')
from tests.ops.test_vector_math import *
x, y = (Input(name, TensorType((Dim.of("n"),), "float64")) for name in "xy")
nodes = [ELEMENTWISE[name](*([x, y][: arity(name)])) for name in VECTOR]
k = compile_graph(Graph((x, y), tuple(nodes)), (), dtype="float64", plain=False)
print(k.source[:600]); i=k.source.index("def value"); print(k.source[i:i+6000])
