// SPDX-License-Identifier: Apache-2.0
// SettingsFile: the settings in a file, which is replaced whole or not at all.
// Idea:   what cannot be read (damaged, or a newer game's) is reported, left alone, and not written to. The new file is complete on the disk
//         before it takes the old one's name.
// Owner:  any thread: reads and writes block.

import Foundation

nonisolated struct SettingsFile: Sendable {
    let path: String

    /// In the user's configuration folder.
    static var usual: SettingsFile {
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        return SettingsFile(path: (base ?? NSHomeDirectory() + "/.config") + "/skirmish/options.json")
    }

    /// The settings; the usual ones if there is no file.
    func read() throws -> Settings {
        guard let data = FileManager.default.contents(atPath: path) else {
            if access(path, F_OK) == 0 { throw Trouble("\(path) cannot be read (\(String(cString: strerror(errno))))") }
            return Settings()
        }
        struct Header: Codable { let version: Int }
        guard data.count <= 65_536, let header = try? JSONDecoder().decode(Header.self, from: data) else {
            throw Trouble("\(path) is damaged; mend it or remove it")
        }
        guard header.version <= Settings.version else {
            throw Trouble("\(path) is a newer game's (version \(header.version)); it is left alone")
        }
        guard let settings = try? JSONDecoder().decode(Settings.self, from: data) else {
            throw Trouble("\(path) is damaged: something is missing in it; mend it or remove it")
        }
        if let fault = settings.fault { throw Trouble("\(path) is damaged: \(fault); mend it or remove it") }
        return settings
    }

    func write(_ settings: Settings) throws {
        let folder = (path as NSString).deletingLastPathComponent
        let new = path + ".new-\(getpid())"
        func trouble(_ what: String) -> Trouble {
            Trouble("the options were not kept: \(what) (\(String(cString: strerror(errno))))")
        }
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let data = try encoder.encode(settings) + Data("\n".utf8)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw trouble("\(new) cannot be written") }
        let isWritten =
            data.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) } == data.count
            && fsync(descriptor) == 0
        close(descriptor)
        guard isWritten, rename(new, path) == 0 else {
            let failure = trouble("\(path) cannot be replaced")
            unlink(new)
            throw failure
        }
    }
}
