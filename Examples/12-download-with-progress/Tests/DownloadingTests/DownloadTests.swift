// SPDX-License-Identifier: Apache-2.0
// DownloadTests: async-http-client's results arrive on the thread of the frames, and the frames go on.

import Downloading
import Foundation
import NIOCore
import SystemPackage
import Tandem
import TandemSDL
import Testing

/// A new folder, gone after `body`.
@MainActor func withFolder<Value>(_ body: (URL) throws -> Value) throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

@Suite(.serialized) @MainActor struct DownloadTests {
    /// Frames, until the run has ended; gives its outcome and how many frames there were.
    private func frames<Value: Sendable>(
        _ main: @escaping @MainActor () async throws -> Value
    ) throws -> (outcome: Result<Value, any Error>, frames: Int) {
        setenv("SDL_VIDEODRIVER", "dummy", 1)
        try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
        defer { SDL_Quit() }
        let guest = try SDLGuest(handlesInterrupts: false)
        defer { guest.close() }
        var loop = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
        loop.frameLimit = 60 * 60
        let frames = loop
        var outcome: Result<Value, any Error>?
        guest.run(main) { result in
            outcome = result
            frames.stop()
        }
        let count = frames.run()
        return (try #require(outcome), count)
    }

    @Test func everyPieceArrivesOnTheFramesThread() throws {
        try withFolder { folder in
            let here = pthread_self()
            let path = FilePath(folder.appendingPathComponent("file").path)
            let count = 3_000_001
            let download = Download()
            var fractions: [Double] = []
            let (outcome, frames) = try frames {
                let server = try await LocalServer.start(pace: .milliseconds(2))
                try await download.run(server.url(bytes: count), to: path) {
                    MainActor.assertIsolated()
                    #expect(pthread_equal(pthread_self(), here) != 0)
                    fractions.append(download.fraction)
                }
                try await server.stop()
            }
            try outcome.get()
            #expect(download.received == count)
            #expect(fractions == fractions.sorted())
            #expect(fractions.last == 1)
            #expect(fractions.count == download.pieces)
            // 46 pieces, 2 ms apart: the frames went on meanwhile.
            #expect(frames > 3)
            let content = try Data(contentsOf: URL(fileURLWithPath: path.string))
            #expect(content == Data((0..<count).map(LocalServer.byte)))
        }
    }

    @Test func aRefusedDownloadLeavesTheFile() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data("old".utf8).write(to: file)
            let (outcome, _) = try frames {
                let server = try await LocalServer.start()
                let url = server.url(bytes: 1).replacingOccurrences(of: "bytes", with: "nothing")
                try await Download().run(url, to: FilePath(file.path))
            }
            #expect(throws: DownloadError.self) { try outcome.get() }
            #expect(try Data(contentsOf: file) == Data("old".utf8))
        }
    }

    @Test func aCancelledDownloadLeavesTheOldFile() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data("old".utf8).write(to: file)
            let download = Download()
            let (outcome, _) = try frames {
                let server = try await LocalServer.start(pace: .milliseconds(5))
                let task = Task { @MainActor in
                    try await download.run(server.url(bytes: 100 << 20), to: FilePath(file.path))
                }
                while download.pieces < 5 { try await Task.sleep(for: .milliseconds(1)) }
                task.cancel()
                let result = await task.result
                try await server.stop()
                return result
            }
            #expect(throws: (any Error).self) { try outcome.get().get() }
            #expect(download.received < 100 << 20)
            #expect(try Data(contentsOf: file) == Data("old".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
        }
    }

    @Test func manyDownloadsAtOnce() throws {
        try withFolder { folder in
            let (outcome, _) = try frames {
                let server = try await LocalServer.start()
                let downloads = (1...16).map { number in
                    Task { @MainActor in
                        let path = FilePath(folder.appendingPathComponent("\(number)").path)
                        try await Download().run(server.url(bytes: number * 10_000), to: path)
                    }
                }
                for download in downloads { try await download.value }
                try await server.stop()
            }
            try outcome.get()
            for number in 1...16 {
                let content = try Data(contentsOf: folder.appendingPathComponent("\(number)"))
                #expect(content == Data((0..<number * 10_000).map(LocalServer.byte)))
            }
        }
    }
}
