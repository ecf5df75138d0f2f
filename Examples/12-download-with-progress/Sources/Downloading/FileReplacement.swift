// SPDX-License-Identifier: Apache-2.0
// FileReplacement: a file is the old one or the new one, whole, whatever happens in between.
// Idea:   the new content goes into a temporary file of the same folder and to the disk, then takes the name in one step (rename), and the
//         folder goes to the disk. NIOFileSystem's own ways to replace a file remove the old one first: between the two there is none.
// Owner:  any task; the disk is waited for on NIO's threads.
// Breaks: without the first synchronisation a power cut may leave the new name with no content.

import Glibc
public import NIOCore
import NIOPosix
public import SystemPackage
import _NIOFileSystem

/// Replaces the file at `path`, or makes it, with what `body` writes. Readers see the old file until the new one is complete and on the disk.
///
/// When `body` throws or the task is cancelled before it has returned, the old file stays and nothing else is left in the folder. A
/// process that is killed leaves the old file or the new one; in the last moment before the rename also a hidden file beside it.
public func replaceFile(at path: FilePath, with body: (FileReplacement) async throws -> Void) async throws {
    let name = path.lastComponent?.string ?? ""
    let hidden = ".\(name).\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    let temporary = path.removingLastComponent().appending(hidden)
    let handle = try await FileSystem.shared.openFile(
        forWritingAt: temporary, options: .newFile(replaceExisting: false))
    do {
        try await body(FileReplacement(handle))
        try await handle.synchronize()
        try Task.checkCancellation()
    } catch {
        // A file that was not made visible was never in the folder.
        _ = await Task { try await handle.close(makeChangesVisible: false) }.result
        throw error
    }
    // A cancellation that comes now is too late: both steps are taken.
    try await Task { try await commit(handle, temporary, path) }.value
}

/// What `replaceFile` hands to its body: the new content, written from front to back.
public final class FileReplacement {
    private let handle: WriteFileHandle
    private var offset: Int64 = 0

    init(_ handle: WriteFileHandle) { self.handle = handle }

    /// Appends bytes.
    public func write(_ bytes: ByteBuffer) async throws {
        offset += try await handle.write(contentsOf: bytes.readableBytesView, toAbsoluteOffset: offset)
    }
}

private func commit(_ handle: WriteFileHandle, _ temporary: FilePath, _ path: FilePath) async throws {
    try await handle.close(makeChangesVisible: true)
    do {
        try await NIOThreadPool.singleton.runIfActive {
            guard rename(temporary.string, path.string) == 0 else { throw Errno(rawValue: errno) }
        }
    } catch {
        _ = try? await FileSystem.shared.removeItem(at: temporary)
        throw error
    }
    let folder = path.removingLastComponent()
    try await FileSystem.shared.withDirectoryHandle(atPath: folder.isEmpty ? "." : folder) {
        try await $0.synchronize()
    }
}
