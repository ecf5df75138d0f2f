// SPDX-License-Identifier: Apache-2.0
// Require: what a caller has to keep to, with words for who does not.

/// Ends the program with a message unless the caller has kept to what was asked of it. Any thread.
///
/// Swift's `precondition` ends an optimised program without a word, so that a player's crash report would not say what was wrong.
@inline(__always) package func require(
    _ holds: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    if !holds { fatalError(message(), file: file, line: line) }
}
