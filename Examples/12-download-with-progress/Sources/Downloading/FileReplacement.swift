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
/// The new file has the old one's permissions, owner and group; a symbolic link stays, and the file that it leads to is replaced. Other hard
/// links of the old file keep the old content; extended attributes are not kept.
///
/// When `body` throws or the task is cancelled before it has returned, the old file stays and nothing else is left in the folder. A
/// process that is killed leaves the old file or the new one; in the last moment before the rename also a hidden file beside it.
///
/// - Throws: `ReplacementError` and what the file system says, before `body` is called where that is possible: if the folder or the file may not be
///   written, if `path` is no regular file, or if the new file cannot be given to the old one's owner. Then what `body` throws.
public func replaceFile(at path: FilePath, with body: (FileReplacement) async throws -> Void) async throws {
    let target = try await onDiskThread { try Target(path) }
    let hidden = ".\(target.path.lastComponent?.string ?? "").\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    let temporary = target.path.removingLastComponent().appending(hidden)
    let handle = try await FileSystem.shared.openFile(
        forWritingAt: temporary,
        // Nobody else's until it has the old one's permissions: what was opened before stays open.
        options: .newFile(replaceExisting: false, permissions: target.isThere ? .ownerReadWrite : nil))
    do {
        try await handle.withUnsafeDescriptor { try target.giveTraits(to: $0) }
        try await body(FileReplacement(handle))
        try await handle.synchronize()
        try Task.checkCancellation()
    } catch {
        // A file that was not made visible was never in the folder.
        _ = await Task { try await handle.close(makeChangesVisible: false) }.result
        throw error
    }
    // A cancellation that comes now is too late: both steps are taken.
    try await Task { try await commit(handle, temporary, target.path) }.value
}

/// Why a file cannot be replaced.
public enum ReplacementError: Error, Equatable {
    /// The path leads to a folder, a device or something else that is no regular file.
    case notAFile(FilePath)
    /// The file is there, and this program may not write it.
    case notWritable(FilePath)
    /// This program may not give a file to the old one's owner and group.
    case ownerCannotBeKept(FilePath)
}

/// Where the file is, and what it was like.
struct Target: Sendable {
    let path: FilePath
    private let old: stat?

    /// Is there a file to be replaced?
    var isThere: Bool { old != nil }

    /// Follows symbolic links, and finds out whether the file may be replaced. Blocks.
    init(_ path: FilePath) throws {
        var status = stat()
        guard stat(path.string, &status) == 0 else {
            guard errno == ENOENT else { throw Errno(rawValue: errno) }
            var link = stat()
            // A link that leads nowhere is no place for a file.
            if lstat(path.string, &link) == 0 { throw ReplacementError.notAFile(path) }
            (self.path, old) = (path, nil)
            return
        }
        guard status.st_mode & S_IFMT == S_IFREG, let real = realpath(path.string, nil) else {
            throw ReplacementError.notAFile(path)
        }
        defer { free(real) }
        self.path = FilePath(String(cString: real))
        // By the rights with which the file would be opened.
        guard faccessat(AT_FDCWD, real, W_OK, AT_EACCESS) == 0 else { throw ReplacementError.notWritable(self.path) }
        old = status
    }

    /// Gives a new file the old one's owner and permissions. In this order: a change of owner takes permissions away.
    func giveTraits(to descriptor: FileDescriptor) throws {
        guard let old else { return }
        var new = stat()
        guard fstat(descriptor.rawValue, &new) == 0 else { throw Errno(rawValue: errno) }
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid),
            fchown(descriptor.rawValue, old.st_uid, old.st_gid) != 0
        {
            throw ReplacementError.ownerCannotBeKept(path)
        }
        guard fchmod(descriptor.rawValue, old.st_mode & 0o7777) == 0 else { throw Errno(rawValue: errno) }
    }
}

/// A call that waits for the disk, on a thread that may.
private func onDiskThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await NIOThreadPool.singleton.runIfActive(body)
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
        try await onDiskThread {
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
