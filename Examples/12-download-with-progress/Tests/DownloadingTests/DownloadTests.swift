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

/// How many frames the running test has had.
@MainActor private var frameCount = 0

@Suite(.serialized) @MainActor struct DownloadTests {
    /// Frames, until the run has ended; gives its outcome.
    private func frames<Value: Sendable>(
        _ main: @escaping @MainActor () async throws -> Value
    ) throws -> Result<Value, any Error> {
        setenv("SDL_VIDEODRIVER", "dummy", 1)
        try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
        defer { SDL_Quit() }
        let guest = try SDLGuest(handlesInterrupts: false)
        defer { guest.close() }
        let loop = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
        loop.frameLimit = 60 * 60
        let frames = loop
        var outcome: Result<Value, any Error>?
        guest.run(main) { result in
            outcome = result
            frames.stop()
        }
        frameCount = 0
        frames.run(update: { _ in frameCount += 1 })
        return try #require(outcome)
    }

    @Test func everyPieceArrivesOnTheFramesThread() throws {
        try withFolder { folder in
            let here = pthread_self()
            let path = FilePath(folder.appendingPathComponent("file").path)
            let count = 3_000_001
            let download = Download()
            var fractions: [Double] = []
            let outcome = try frames {
                let server = try await LocalServer.start(pace: .milliseconds(2))
                // A busy machine may have no frame for as long as one download takes.
                for round in 0..<50 where round == 0 || frameCount < 4 {
                    (frameCount, fractions) = (0, [])
                    try await download.run(server.url(bytes: count), to: path) {
                        MainActor.assertIsolated()
                        #expect(pthread_equal(pthread_self(), here) != 0)
                        fractions.append(download.fraction)
                    }
                }
                try await server.stop()
            }
            try outcome.get()
            #expect(download.received == count)
            #expect(fractions == fractions.sorted())
            #expect(fractions.last == 1)
            #expect(fractions.count == download.pieces)
            // 46 pieces, 2 ms apart: the frames went on meanwhile.
            #expect(frameCount >= 4)
            let content = try Data(contentsOf: URL(fileURLWithPath: path.string))
            #expect(content == Data((0..<count).map(LocalServer.byte)))
        }
    }

    @Test func aRefusedDownloadLeavesTheFile() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data("old".utf8).write(to: file)
            let outcome = try frames {
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
            let outcome = try frames {
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

    @Test func aServerThatStopsInTheMiddleEndsTheDownload() throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("file")
            try Data("old".utf8).write(to: file)
            let download = Download(idleLimit: .seconds(1))
            let outcome = try frames {
                // The second piece would come after an hour.
                let server = try await LocalServer.start(pace: .hours(1))
                try await download.run(server.url(bytes: 1 << 20), to: FilePath(file.path))
            }
            guard case .failure(DownloadError.stalled(_, let bytes, .seconds(1))) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            // On a machine that is busy for a second the limit may come before the first piece.
            #expect([0, 65_536].contains(bytes))
            #expect(try Data(contentsOf: file) == Data("old".utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
        }
    }

    @Test func aFolderThatTakesNoFileIsFoundOutBeforeTheServerIsAsked() throws {
        try withFolder { folder in
            let outcome = try frames {
                // Nobody listens there, which would be the error if it were asked.
                try await Download().run("http://127.0.0.1:1/", to: FilePath(folder.path))
            }
            #expect(throws: ReplacementError.notAFile(FilePath(folder.path))) { try outcome.get() }
        }
    }

    @Test(arguments: [1_000_000, 999_999], [true, false])
    func aDownloadBeyondItsLimitIsRefused(limit: Int, saysLength: Bool) throws {
        try withFolder { folder in
            let file = folder.appendingPathComponent("file")
            let download = Download(limit: limit)
            let outcome = try frames {
                let server = try await LocalServer.start(saysLength: saysLength)
                try await download.run(server.url(bytes: 1_000_000), to: FilePath(file.path))
                try await server.stop()
            }
            if limit < 1_000_000 {
                #expect(throws: DownloadError.self) { try outcome.get() }
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
                // Before the first byte is taken, if the server says how many there are; otherwise before the one that is too many.
                #expect(saysLength ? download.received == 0 : 0 < download.received && download.received <= limit)
            } else {
                try outcome.get()
                #expect(download.received == limit)
            }
        }
    }

    @Test func manyDownloadsAtOnce() throws {
        try withFolder { folder in
            let outcome = try frames {
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
