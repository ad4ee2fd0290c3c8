// The three products by oneDNN: a few images at a time, in parallel, each on one thread.

#if canImport(COneDNN)
  import COneDNN
  import OneDNN
  import Tensors

  struct OneDNNConvolution {
    private typealias Numbers = UnsafeMutableRawPointer

    private let product: ConvolutionProduct
    private let shape: ConvolutionShape
    private let library: OneDNNLibrary
    private let images: Int
    /// For `images` images, and for what is left of the batch.
    private let plan: OneDNNPlan
    private let rest: OneDNNPlan?

    /// Nil where the library has no fast way to compute the product.
    init?(_ product: ConvolutionProduct, _ shape: ConvolutionShape, hasBias: Bool = false) {
      // The gradients of examples are groups of one image: as matrix products they cost the same, and run in parallel.
      let isOfExamples = product == .filterGradient && shape.batch == 1 && shape.groups > 1
      guard !isOfExamples, let library = OneDNNLibrary.shared else { return nil }
      func prepared(_ images: Int) -> OneDNNPlan? {
        OneDNNPlanKey(product: product, shape: shape.part(images: images), hasBias: hasBias).plan(library)
      }
      var images = shape.imagesAtATime(for: product)
      guard var plan = prepared(images) else { return nil }
      var rest: OneDNNPlan?
      let left = shape.batch % images
      if left > 0 {
        rest = prepared(left)
        if rest?.filters.wanted.isSame(as: plan.filters.wanted) != true {
          // Pieces must agree on the order of the filters; one piece always does.
          guard let whole = prepared(shape.batch) else { return nil }
          (plan, rest, images) = (whole, nil, shape.batch)
        }
      }
      self.product = product
      self.shape = shape
      self.library = library
      self.images = images
      self.plan = plan
      self.rest = rest
    }

    private var pieces: Int { (shape.batch + images - 1) / images }
    private func plan(ofPiece piece: Int) -> OneDNNPlan { (piece + 1) * images <= shape.batch ? plan : rest ?? plan }
    private var inputSize: Int { images * shape.inputChannels * shape.windows.inputCount }
    private var outputSize: Int { images * shape.outputChannels * shape.windows.outputCount }

    // MARK: The products

    func output(_ x: Tensor<Float>, _ w: Tensor<Float>, bias: Tensor<Float>?) -> Tensor<Float> {
      Tensor(uninitializedShape: shape.outputShape) { y in
        let y = Numbers(y.baseAddress!)
        read(x) { x in
          read(bias ?? w) { bias in
            reordered(w) { filters in
              parallelTasks(pieces) { piece in
                let plan = plan(ofPiece: piece)
                let from = x + piece * inputSize * MemoryLayout<Float>.stride
                let to = y + piece * outputSize * MemoryLayout<Float>.stride
                run(plan) { input, output, scratch in
                  let source = load(plan.input, from, input)
                  let target = plan.output.reorder == nil ? to : output
                  var arguments = [
                    (DNNL_ARG_SRC, plan.input.wanted, source), (DNNL_ARG_WEIGHTS, plan.filters.wanted, filters),
                    (DNNL_ARG_DST, plan.output.wanted, target), (DNNL_ARG_SCRATCHPAD, plan.scratch, scratch),
                  ]
                  if let description = plan.bias { arguments.append((DNNL_ARG_BIAS, description, bias)) }
                  library.execute(plan.primitive, arguments)
                  store(plan.output, target, to)
                }
              }
            }
          }
        }
      }
    }

    func inputGradient(_ g: Tensor<Float>, _ w: Tensor<Float>) -> Tensor<Float> {
      Tensor(uninitializedShape: shape.inputShape) { result in
        let result = Numbers(result.baseAddress!)
        read(g) { g in
          reordered(w) { filters in
            parallelTasks(pieces) { piece in
              let plan = plan(ofPiece: piece)
              let from = g + piece * outputSize * MemoryLayout<Float>.stride
              let to = result + piece * inputSize * MemoryLayout<Float>.stride
              run(plan) { input, output, scratch in
                let source = load(plan.output, from, output)
                let target = plan.input.reorder == nil ? to : input
                library.execute(
                  plan.primitive,
                  [
                    (DNNL_ARG_DIFF_DST, plan.output.wanted, source), (DNNL_ARG_WEIGHTS, plan.filters.wanted, filters),
                    (DNNL_ARG_DIFF_SRC, plan.input.wanted, target), (DNNL_ARG_SCRATCHPAD, plan.scratch, scratch),
                  ])
                store(plan.input, target, to)
              }
            }
          }
        }
      }
    }

    /// The sum over the pieces, in their order.
    func filterGradient(_ x: Tensor<Float>, _ g: Tensor<Float>) -> Tensor<Float> {
      let size = plan.filters.wanted.byteCount / MemoryLayout<Float>.stride
      let partial = Tensor<Float>(uninitializedShape: [pieces, size]) { sums in
        let sums = Numbers(sums.baseAddress!)
        read(x) { x in
          read(g) { g in
            parallelTasks(pieces) { piece in
              let plan = plan(ofPiece: piece)
              let inputs = x + piece * inputSize * MemoryLayout<Float>.stride
              let cotangents = g + piece * outputSize * MemoryLayout<Float>.stride
              run(plan) { input, output, scratch in
                library.execute(
                  plan.primitive,
                  [
                    (DNNL_ARG_SRC, plan.input.wanted, load(plan.input, inputs, input)),
                    (DNNL_ARG_DIFF_DST, plan.output.wanted, load(plan.output, cotangents, output)),
                    (DNNL_ARG_DIFF_WEIGHTS, plan.filters.wanted, sums + piece * size * MemoryLayout<Float>.stride),
                    (DNNL_ARG_SCRATCHPAD, plan.scratch, scratch),
                  ])
              }
            }
          }
        }
      }
      let sum = pieces == 1 ? partial : partial.sum(axis: 0)
      guard plan.filters.reorder != nil else { return sum.reshaped(shape.filterShape) }
      return Tensor(uninitializedShape: shape.filterShape) { result in
        read(sum) { sum in
          library.onOneThread { store(plan.filters, sum, Numbers(result.baseAddress!)) }
        }
      }
    }

    // MARK: Orders of memory

    /// Calls `body` with memory for the plan's input, output and scratch.
    private func run(_ plan: OneDNNPlan, _ body: (Numbers, Numbers, Numbers) -> Void) {
      let (input, output) = (plan.input.spareBytes, plan.output.spareBytes)
      withScratch((input + output + plan.scratchBytes) / MemoryLayout<Float>.stride) {
        (scratch: UnsafeMutablePointer<Float>) in
        let start = Numbers(scratch)
        library.onOneThread { body(start, start + input, start + input + output) }
      }
    }

    /// The numbers at `from` as the primitive wants them: copied to `spare` unless they are already.
    private func load(_ operand: OneDNNPlan.Operand, _ from: Numbers, _ spare: Numbers) -> Numbers {
      guard let reorder = operand.reorder else { return from }
      library.execute(reorder, [(DNNL_ARG_FROM, operand.plain, from), (DNNL_ARG_TO, operand.wanted, spare)])
      return spare
    }

    /// Copies a result to `to` unless it was written there.
    private func store(_ operand: OneDNNPlan.Operand, _ from: Numbers, _ to: Numbers) {
      guard let reorder = operand.reorder else { return }
      library.execute(reorder, [(DNNL_ARG_FROM, operand.wanted, from), (DNNL_ARG_TO, operand.plain, to)])
    }

    /// The filters as both plans want them.
    private func reordered(_ w: Tensor<Float>, _ body: (Numbers) -> Void) {
      read(w) { w in
        withScratch(plan.filters.spareBytes / MemoryLayout<Float>.stride) { (spare: UnsafeMutablePointer<Float>) in
          body(library.onOneThread { load(plan.filters, w, Numbers(spare)) })
        }
      }
    }

    private func read(_ x: Tensor<Float>, _ body: (Numbers) -> Void) {
      x.withUnsafeBuffer { body(Numbers(mutating: UnsafeRawPointer($0.baseAddress!))) }
    }
  }
#endif
