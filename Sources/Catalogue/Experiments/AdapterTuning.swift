import Datasets
public import Networks
import Optimizers
import Tensors

extension CharacterModel {
  /// A model whose corrections beside quantized weights were trained on the training text, everything else staying as it
  /// is.
  ///
  /// - Parameter seed: of the windows, 16 of 128 characters a step.
  public func tuned(_ model: GPT<Float>, steps: Int, learningRate: Double = 1e-3, seed: UInt64) -> GPT<Float> {
    var model = model
    var optimizer = Adam<Float>(learningRate: learningRate)
    let random = RandomStream(seed: seed)
    let pass = ForwardPass.training(random: random.child(1))
    let isFactor = { (name: String) in name.hasSuffix(".left") || name.hasSuffix(".right") }
    for step in 0..<steps {
      let batch = train.batch(at: step, size: 16, random: random.child(0))
      let (_, gradient) = model.valueAndGradient(in: pass, where: isFactor) { model, pass in
        crossEntropy(model(batch.inputs, in: pass), labels: batch.targets)
      }
      optimizer.update(&model, along: gradient, rateFactor: 1)
    }
    return model
  }
}
