import Tensors

let x = Tensor<Double>([[1, 2, 3], [4, 5, 6]])
print(x.transposed.matmul(x).scalars, x.sum(axis: 0).scalars, gradient(at: x) { ($0 * $0.exp()).sum() }.scalars)
var y = x
y[0, 1...] = Tensor(7.0)
print(y.scalars, x.scalars, x.maximum(axis: 1).scalars, x.softmax(axis: 1).scalars)
