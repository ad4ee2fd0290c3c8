// Changes to images of shape [count, channels, height, width], for more and for other examples.

public import Tensors

/// Random changes of small images under which their class stays.
public struct ImageAugmentation: Sendable {
  /// Each image moves by up to this many pixels in both directions; what comes in is black.
  public var largestShift = 0
  /// Whether half of the images are mirrored; wrong for digits and letters.
  public var mirrors = false

  public init(largestShift: Int = 0, mirrors: Bool = false) {
    self.largestShift = largestShift
    self.mirrors = mirrors
  }

  public var isIdentity: Bool { largestShift == 0 && !mirrors }

  /// - Parameter images: shape [count, channels, height, width].
  public func callAsFunction<Scalar: RealScalar>(
    _ images: Tensor<Scalar>, random: inout RandomStream
  ) -> Tensor<Scalar> {
    guard !isIdentity else { return images }
    let count = images.shape[0]
    let shifts = random.integers([count, 2], in: -largestShift..<largestShift + 1).scalars
    let coins = random.bernoulli([count], probability: mirrors ? 0.5 : 0).scalars
    return moved(images) { i in
      (down: shifts[2 * i], right: shifts[2 * i + 1], isMirrored: coins[i])
    }
  }
}

/// Every image moved by its own number of pixels, and mirrored; what comes in is zero.
private func moved<Scalar: RealScalar>(
  _ images: Tensor<Scalar>, _ change: (Int) -> (down: Int, right: Int, isMirrored: Bool)
) -> Tensor<Scalar> {
  precondition(images.rank == 4, "images have shape [count, channels, height, width], not \(images.shape)")
  let (channels, height, width) = (images.shape[1], images.shape[2], images.shape[3])
  return Tensor(uninitializedShape: images.shape) { result in
    images.withUnsafeBuffer { images in
      for i in 0..<images.count / max(1, channels * height * width) {
        let (down, right, isMirrored) = change(i)
        copyMoved(images, result, plane: i * channels, channels, height, width, down, right, isMirrored)
      }
    }
  }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func copyMoved<Scalar: RealScalar>(
  _ images: UnsafeBufferPointer<Scalar>, _ result: UnsafeMutableBufferPointer<Scalar>, plane: Int, _ channels: Int,
  _ height: Int, _ width: Int, _ down: Int, _ right: Int, _ isMirrored: Bool
) {
  for channel in plane..<plane + channels {
    for row in 0..<height {
      let target = (channel * height + row) * width
      let from = row - down
      guard (0..<height).contains(from) else {
        for column in 0..<width { result[target + column] = 0 }
        continue
      }
      let source = (channel * height + from) * width
      for column in 0..<width {
        let unmoved = column - right
        let inside = unmoved >= 0 && unmoved < width
        result[target + column] = inside ? images[source + (isMirrored ? width - 1 - unmoved : unmoved)] : 0
      }
    }
  }
}

extension Tensor where Scalar: RealScalar {
  /// Images cut to `side` × `side` pixels at random places, each at its own.
  public func randomlyCropped(side: Int, random: inout RandomStream) -> Tensor {
    precondition(rank == 4 && shape[2] >= side && shape[3] >= side, "images of shape \(shape) have no crop of \(side)")
    let rows = random.integers([shape[0]], in: 0..<shape[2] - side + 1).scalars
    let columns = random.integers([shape[0]], in: 0..<shape[3] - side + 1).scalars
    return Tensor.stacked(
      (0..<shape[0]).map { i in
        self[i].slice(axis: 1, rows[i]..<rows[i] + side).slice(axis: 2, columns[i]..<columns[i] + side)
      })
  }

  /// Images turned counterclockwise about their centre, interpolated bilinearly; what comes in is zero.
  public func imagesRotated(degrees: Double) -> Tensor {
    precondition(rank == 4, "images have shape [count, channels, height, width], not \(shape)")
    let (height, width) = (shape[2], shape[3])
    let plan = RotationPlan(height: height, width: width, degrees: degrees)
    let planes = reshaped([shape[0] * shape[1], height * width])
    var rotated = Tensor.zeros(planes.shape)
    // Four weighted copies of every pixel: whole-array operations over all planes at once.
    for corner in plan.corners {
      rotated += planes.gathered(Tensor<Int>(corner.positions), axis: 1) * Tensor(corner.weights.map { Scalar($0) })
    }
    return rotated.reshaped(shape)
  }

  /// Images with their pixels in another order, the same for all: `order` as of `RandomStream.permutation(height · width)`.
  public func imagePixelsPermuted(_ order: Tensor<Int>) -> Tensor {
    precondition(
      rank == 4 && order.shape == [shape[2] * shape[3]], "images of shape \(shape) and an order of \(order.shape)")
    return reshaped([shape[0], shape[1], order.count]).gathered(order, axis: 2).reshaped(shape)
  }

  /// Images of half the height and width: the means over blocks of 2×2.
  public var imagesHalved: Tensor {
    precondition(
      rank == 4 && shape[2] % 2 == 0 && shape[3] % 2 == 0, "images of shape \(shape) have no blocks of 2×2")
    return reshaped([shape[0], shape[1], shape[2] / 2, 2, shape[3] / 2, 2]).mean(axes: [3, 5])
  }
}

/// For each pixel of a turned image, the four pixels of the original around the place it came from.
private struct RotationPlan {
  struct Corner {
    var positions: [Int] = []
    var weights: [Double] = []
  }
  var corners = [Corner](repeating: Corner(), count: 4)

  init(height: Int, width: Int, degrees: Double) {
    // A quarter turn must be exact.
    let quarters = (degrees / 90).rounded()
    let isQuarter = degrees == quarters * 90
    let angle = degrees * .pi / 180
    let turn = ((Int(quarters) % 4) + 4) % 4
    let cosine = isQuarter ? [1.0, 0, -1, 0][turn] : Double.cos(angle)
    let sine = isQuarter ? [0.0, 1, 0, -1][turn] : Double.sin(angle)
    let (middleRow, middleColumn) = (Double(height - 1) / 2, Double(width - 1) / 2)
    for row in 0..<height {
      for column in 0..<width {
        let (y, x) = (Double(row) - middleRow, Double(column) - middleColumn)
        let fromRow = middleRow + cosine * y + sine * x
        let fromColumn = middleColumn - sine * y + cosine * x
        add(fromRow, fromColumn, height, width)
      }
    }
  }

  private mutating func add(_ row: Double, _ column: Double, _ height: Int, _ width: Int) {
    let (top, left) = (row.rounded(.down), column.rounded(.down))
    for corner in 0..<4 {
      let (r, c) = (Int(top) + corner / 2, Int(left) + corner % 2)
      let rowWeight = 1 - (row - Double(r)).magnitude
      let columnWeight = 1 - (column - Double(c)).magnitude
      let isInside = (0..<height).contains(r) && (0..<width).contains(c)
      corners[corner].positions.append(isInside ? r * width + c : 0)
      corners[corner].weights.append(isInside ? rowWeight * columnWeight : 0)
    }
  }
}
