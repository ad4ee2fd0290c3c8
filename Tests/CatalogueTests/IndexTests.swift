import Catalogue
import CatalogueCore
import Testing

@Suite struct IndexTests {
  @Test func allMethodsAreListedOnce() {
    #expect(Catalogue.entries.count == 132)
    #expect(Set(Catalogue.entries.map(\.id)).count == 132)
    #expect(Set(Catalogue.entries.map(\.module)).count == 24)
    #expect(Catalogue.entries.allSatisfy { !$0.title.isEmpty && !$0.title.contains("  ") })
    let keys = Catalogue.entries.map { ($0.module, $0.id) }
    #expect(zip(keys, keys.dropFirst()).allSatisfy { $0 < $1 }, "sorted by module, then by id")
  }

  @Test func everyBuiltMethodStandsInTheTable() throws {
    for method in Catalogue.methods {
      let card = method.card
      let entry = try Catalogue.entry(card.id)
      #expect(entry.module == card.module)
      #expect(entry.title == card.title)
      #expect(entry.status == "works")
      #expect(card.defects == [])
    }
    let ids = Catalogue.methods.map(\.card.id)
    #expect(Set(ids).count == ids.count)
  }

  @Test func whatIsNotThereIsRefusedPolitely() {
    func complaint(_ id: String) -> String {
      do {
        _ = try Catalogue.method(id)
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    #expect(complaint("sinkhorn-newten").contains("did you mean 'sinkhorn-newton'?"))
    #expect(complaint("ponita").contains("is planned and not built yet"))
    #expect(complaint("").contains("there is no method"))
  }
}
