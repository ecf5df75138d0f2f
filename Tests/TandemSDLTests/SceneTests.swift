// SPDX-License-Identifier: Apache-2.0
// SceneTests: scenes on the main actor: their bodies and children are the main actor's, without a word about it.

import Foundation
import TandemTesting
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct SceneTests {
        /// A model that only the main actor may touch.
        @MainActor final class Model {
            var marks: [String] = []
            func mark(_ text: String) { marks.append(text) }
        }

        @Test func bodyAndChildrenBelongToTheMainActorAndStayOnItsThread() throws {
            var configuration = Configuration.unhurried
            configuration.timeSource = VirtualClock()
            try withGuest(configuration: configuration) { guest in
                let model = Model()
                let thread = pthread_self()
                var outcome: Result<Int, any Error>?
                guest.run {
                    // By the guest, and by the loop from main-actor code.
                    try await guest.withScene { scene in
                        scene.task {
                            model.mark("first")
                            try await scene.clock.sleep(for: .seconds(1000))
                        }
                        try await scene.clock.sleep(for: .seconds(1))
                    }
                    return try await guest.loop.withScene { scene in
                        scene.task {
                            model.mark("second")
                            #expect(pthread_self() == thread)
                            try await guest.loop.sleep(for: .seconds(1))
                            model.mark("third")
                            #expect(pthread_self() == thread)
                            scene.end()
                        }
                        try? await scene.clock.sleep(for: .seconds(1000))
                        MainActor.assertIsolated()
                        return model.marks.count
                    }
                } onDone: {
                    outcome = $0
                }
                #expect(guest.work { outcome != nil })
                let count = try outcome?.get()
                #expect(count == 3)
                #expect(model.marks == ["first", "second", "third"])
                #expect(guest.loop.statistics.waitsHandedOver == 0)
                #expect(guest.loop.members.scenes.isEmpty)
            }
        }
    }
}
