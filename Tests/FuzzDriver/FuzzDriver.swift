// SPDX-License-Identifier: Apache-2.0
// FuzzDriver: the two ways in which a program that reads bytes is run: by libFuzzer, and, built without it, with the files that are named, to see a finding
//             again.
// Owner:  the main thread.

import Foundation

#if FUZZING
    /// libFuzzer's own `main` as a function. The package manager calls an executable's `main` by another name, so that libFuzzer's would not be found.
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<CInt>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt

    /// Calls `body` with each of libFuzzer's inputs, and ends the process when libFuzzer has finished.
    @MainActor public func runLibFuzzer(_ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt) -> Never {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments, body))
    }
#endif

/// Plays each file, and prints what has gone wrong: what `play` returns, `nil` if it is as expected.
public func playFiles(_ paths: some Sequence<String>, _ play: ([UInt8]) -> String?) throws {
    for path in paths {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        print("\(path): \(play(bytes) ?? "as expected")")
    }
}
