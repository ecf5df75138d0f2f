// SPDX-License-Identifier: Apache-2.0
// FormsOfMainTests: every form of main, with every kind of loop, after everything that may have been awaited. Behaviour 70.
// The programs stand in Tests/FormsOfMain. What is missing in the table Swift's compiler refuses: a synchronous main cannot await.

import Testing

@Suite struct FormsOfMainTests {
    struct Cell: CustomTestStringConvertible, Sendable {
        let form: String
        let kind: String
        let before: String
        let place: String
        var testDescription: String { "\(form): \(kind), awaited \(before), \(place)" }
    }

    static let table: [Cell] = {
        var cells: [Cell] = []
        for place in ["here", "called"] {
            for form in ["FormTopLevel", "FormAtMain"] {
                for kind in ["own", "frames"] {
                    cells.append(Cell(form: form, kind: kind, before: "nothing", place: place))
                }
            }
            for form in ["FormTopLevelAsync", "FormAtMainAsync"] {
                for before in ["nothing", "main", "loop", "frame"] {
                    for kind in ["own", "frames", "sequence", "quit"] where kind != "quit" || place == "here" {
                        cells.append(Cell(form: form, kind: kind, before: before, place: place))
                    }
                }
            }
        }
        return cells
    }()

    @Test(arguments: table) func aGuestWorksInEveryFormOfMain(_ cell: Cell) async throws {
        let (status, output) = try await BuiltProgram.run(cell.form, [cell.kind, cell.before, cell.place])
        #expect(status == 0 && output == "ok\n", "\(cell.testDescription): \(status), \(output)")
    }
}
