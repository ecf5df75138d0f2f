// SPDX-License-Identifier: Apache-2.0
// UsualNames: an engine whose types have the names that everybody uses, and one its module's own name: `UsualNames.Frame` is looked for in that type.

/// The engine.
public enum UsualNames {}

/// What the engine declares.
public protocol OfTheEngine {}

extension OfTheEngine {
    /// Whose type it is.
    public static var owner: String { "engine" }
}

// Tandem has had types of these names.

/// A hole in a wall.
public enum Socket: OfTheEngine {}

/// What entities tell each other.
public enum Signal: OfTheEngine {}

/// What the camera sees.
public enum Scene: OfTheEngine {}

/// What has happened.
public enum Events: OfTheEngine {}

/// What opens doors.
public enum Keys: OfTheEngine {}

// Tandem has types of these names.

/// A picture of an animation.
public enum Frame: OfTheEngine {}

/// The pictures of an animation.
public enum Frames: OfTheEngine {}

/// The player's settings.
public enum Configuration: OfTheEngine {}

/// What a post office sends.
public enum Outbox: OfTheEngine {}

/// What is drawn without a width.
public enum Lines: OfTheEngine {}

/// What is said.
public enum Messages: OfTheEngine {}

/// How many goals there were.
public enum Statistics: OfTheEngine {}

/// What a car leaves behind.
public enum Trace: OfTheEngine {}
