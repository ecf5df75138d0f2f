// SPDX-License-Identifier: Apache-2.0
// FileReplacementTests: the old file or the new one, whole.

import Foundation
import Glibc
import NIOCore
import Synchronization
import SystemPackage
import Testing

@testable import Downloading

@Suite struct FileReplacementTests {
    private let folder: URL
    private var file: URL { folder.appendingPathComponent("save") }
    private var path: FilePath { FilePath(file.path) }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func check(_ content: String) throws {
        #expect(try String(contentsOf: file, encoding: .utf8) == content)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["save"])
        try FileManager.default.removeItem(at: folder)
    }

    @Test func aSaveMakesTheFileAndReplacesIt() async throws {
        for content in ["old", "new, and longer", "x"] {
            try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: content)) }
            #expect(try String(contentsOf: file, encoding: .utf8) == content)
        }
        try check("x")
    }

    @Test func readersSeeTheOldFileUntilTheNewOneIsComplete() async throws {
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        try await replaceFile(at: path) { new in
            for _ in 0..<3 {
                try await new.write(ByteBuffer(string: "new"))
                #expect(try String(contentsOf: file, encoding: .utf8) == "old")
            }
        }
        try check("newnewnew")
    }

    @Test func aSaveThatFailsInTheMiddleLeavesTheOldFile() async throws {
        struct Full: Error {}
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        await #expect(throws: Full.self) {
            try await replaceFile(at: path) { new in
                try await new.write(ByteBuffer(string: "ne"))
                throw Full()
            }
        }
        try check("old")
    }

    @Test func aCancelledSaveLeavesTheOldFile() async throws {
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        let path = path
        let save = Task {
            try await replaceFile(at: path) { new in
                try await new.write(ByteBuffer(string: "ne"))
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        await #expect(throws: (any Error).self) { try await save.value }
        try check("old")
    }

    @Test func permissionsAndOwnerAreKept() async throws {
        for mode in [0o600, 0o640, 0o755] as [mode_t] {
            try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
            chmod(file.path, mode)
            // Only the superuser may give a file away.
            if geteuid() == 0 { chown(file.path, 12_345, 54_321) }
            var before = stat()
            try #require(stat(file.path, &before) == 0)
            try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "new")) }
            var after = stat()
            try #require(stat(file.path, &after) == 0)
            #expect(after.st_mode == before.st_mode)
            #expect((after.st_uid, after.st_gid) == (before.st_uid, before.st_gid))
            #expect(after.st_ino != before.st_ino)
        }
        try check("new")
    }

    @Test func aSymbolicLinkStaysAndItsFileIsReplaced() async throws {
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        let link = folder.deletingLastPathComponent().appendingPathComponent("tandem-link-\(UUID())").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file.path)
        defer { try? FileManager.default.removeItem(atPath: link) }
        try await replaceFile(at: FilePath(link)) { try await $0.write(ByteBuffer(string: "new")) }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file.path)
        try check("new")
    }

    @Test func whatCannotBeReplacedIsFoundOutAtOnce() async throws {
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        await #expect(throws: ReplacementError.notAFile(path)) {
            try await replaceFile(at: path) { _ in Issue.record("the path is a folder's") }
        }
        try FileManager.default.removeItem(at: file)
        try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: folder.path + "/nowhere")
        await #expect(throws: ReplacementError.notAFile(path)) {
            try await replaceFile(at: path) { _ in Issue.record("the link leads nowhere") }
        }
        try FileManager.default.removeItem(at: folder)
    }

    @Test func aFileOfSomebodyElsesIsNotReplaced() async throws {
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        chmod(file.path, 0o444)
        let path = path
        #expect(throws: ReplacementError.notWritable(path)) { try asAnOrdinaryUser { _ = try Target(path) } }
        try check("old")
    }

    /// What cannot be given to the old owner is not given to somebody else instead.
    @Test func aFileWhoseOwnerCannotBeKeptIsNotReplaced() async throws {
        // Whoever is not the superuser has no files of two owners.
        guard geteuid() == 0 else { return try FileManager.default.removeItem(at: folder) }
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        // Everybody may write it, and it is the superuser's.
        chmod(file.path, 0o666)
        chmod(folder.path, 0o777)
        let (path, other) = (path, folder.path + "/other")
        #expect(throws: ReplacementError.ownerCannotBeKept(path)) {
            try asAnOrdinaryUser {
                let new = try FileDescriptor.open(
                    other, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
                try new.closeAfter { try Target(path).giveTraits(to: new) }
            }
        }
        try FileManager.default.removeItem(atPath: other)
        try check("old")
    }

    /// Runs `body` on a thread that has no more rights to files than an ordinary user. Linux has these for each thread, and so has `setfsuid`.
    private func asAnOrdinaryUser(_ body: @escaping @Sendable () throws -> Void) throws {
        typealias SetUser = @convention(c) (uid_t) -> CInt
        let setUser = unsafeBitCast(try #require(dlsym(nil, "setfsuid")), to: SetUser.self)
        let ended = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Void, any Error>>(.success(()))
        Thread {
            if geteuid() == 0 { _ = setUser(12_345) }
            let outcome = Result { try body() }
            result.withLock { $0 = outcome }
            ended.signal()
        }.start()
        ended.wait()
        try result.withLock { $0 }.get()
    }

    @Test func aFolderThatIsNotThereIsAnError() async throws {
        await #expect(throws: (any Error).self) {
            try await replaceFile(at: FilePath(folder.path + "/none/save")) { _ in Issue.record("there is no folder") }
        }
        try FileManager.default.removeItem(at: folder)
    }

    @Test func aProcessThatIsKilledLeavesAWholeFile() throws {
        let tool = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("SaveForEver")
        var contents: Set<UInt8> = []
        // A busy machine may take all twenty in their first save; then there are more rounds, which last longer.
        for round in 0..<200 where round < 20 || contents.count < 2 {
            let process = Process()
            process.executableURL = FileManager.default.isExecutableFile(atPath: tool.path) ? tool : Self.besideTests
            process.arguments = [file.path]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            // The first save has been made; some later one is under way when the process is killed.
            #expect(try output.fileHandleForReading.read(upToCount: 5) == Data("saved".utf8))
            usleep(UInt32(500 + round * 731))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let content = try Data(contentsOf: file)
            let number = try #require(content.first)
            #expect(content.allSatisfy { $0 == number })
            #expect(content.count == (16 + Int(number) % 16) * 16_384)
            contents.insert(number)
        }
        // It was really in the middle of saving.
        #expect(contents.count > 1)
        try FileManager.default.removeItem(at: folder)
    }

    /// The runner may be the toolchain's; then the tests are in the file that it was given.
    private static var besideTests: URL {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("SaveForEver")
    }
}
