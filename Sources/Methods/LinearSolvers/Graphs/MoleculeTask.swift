public import Tensors

/// Graphs made up after the pattern of nitroaromatic compounds, with a property of the whole to predict: rings of carbon joined
/// by edges and chains, with side chains and nitro groups.
///
/// The rule is invented: a graph is of class 1 with at least three rings, or with a nitro group on a ring of a graph of two
/// rings or more. Nothing here is measured on real molecules.
public struct MoleculeTask: GraphTask {
  public var rings: ClosedRange<Int>
  public var loss: GraphLoss { .logistic }

  public init(rings: ClosedRange<Int> = 1...4) { self.rings = rings }

  /// Features of nodes.
  public enum Atom: Int, Sendable, CaseIterable { case carbon, nitrogen, oxygen, halogen }
  /// Features of edges.
  public enum Bond: Int, Sendable, CaseIterable { case single, double, aromatic }

  private struct Molecule {
    var atoms: [Atom] = []
    var bonds: [(Int, Int, Bond)] = []

    mutating func add(_ atom: Atom, to other: Int? = nil, _ bond: Bond = .single) -> Int {
      atoms.append(atom)
      if let other { bonds.append((other, atoms.count - 1, bond)) }
      return atoms.count - 1
    }
  }

  /// One graph: one-hot features of atoms, shape [nodes, 4], and of bonds in both directions, shape [edges, 3].
  public func example(random: inout RandomStream) throws -> GraphExample {
    var molecule = Molecule()
    let ringCount = Int.random(in: rings, using: &random)
    var ringAtoms: [Int] = []
    for ring in 0..<ringCount {
      var last = ring == 0 ? nil : ringAtoms.randomElement(using: &random)
      // Rings are joined by chains of up to two atoms.
      if ring > 0 {
        for _ in 0..<Int.random(in: 0...2, using: &random) { last = molecule.add(.carbon, to: last) }
      }
      let size = Int.random(in: 5...6, using: &random)
      let first = molecule.add(.carbon, to: last)
      var members = [first]
      for _ in 1..<size { members.append(molecule.add(.carbon, to: members[members.count - 1], .aromatic)) }
      molecule.bonds.append((members[size - 1], first, .aromatic))
      ringAtoms += members
    }
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      var last = Int.random(in: 0..<molecule.atoms.count, using: &random)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        last = molecule.add(Atom.allCases.randomElement(using: &random) ?? .carbon, to: last)
      }
    }
    let hasNitro = Bool.random(using: &random)
    if hasNitro, let place = ringAtoms.randomElement(using: &random) {
      let nitrogen = molecule.add(.nitrogen, to: place)
      _ = molecule.add(.oxygen, to: nitrogen, .double)
      _ = molecule.add(.oxygen, to: nitrogen, .single)
    }
    let isActive = ringCount >= 3 || ringCount >= 2 && hasNitro
    return try example(of: molecule, target: isActive ? 1 : 0)
  }

  private func example(of molecule: Molecule, target: Double) throws -> GraphExample {
    let count = molecule.atoms.count
    let graph = try GraphStructure(
      nodeCount: count, sources: molecule.bonds.flatMap { [$0.0, $0.1] },
      destinations: molecule.bonds.flatMap { [$0.1, $0.0] })
    func oneHot(_ values: [Int], _ width: Int) -> Tensor<Double> {
      Tensor<Double>.zeros([values.count * width])
        .scatterAdded(.ones([values.count]), at: Tensor(values.enumerated().map { $0 * width + $1 }))
        .reshaped([values.count, width])
    }
    let bonds = molecule.bonds.flatMap { [$0.2.rawValue, $0.2.rawValue] }
    return GraphExample(
      graph: graph, nodes: oneHot(molecule.atoms.map(\.rawValue), Atom.allCases.count),
      edges: oneHot(bonds, Bond.allCases.count), targets: Tensor([target]),
      members: .zeros([count]))
  }
}
