// SPDX-License-Identifier: Apache-2.0
// ServerOptions: what a server is told.

public import SkirmishNetwork

/// What a server is told at its beginning.
public struct ServerOptions: Sendable, Hashable {
    /// The host's own.
    public var host = DedicatedHost.Settings()
    /// Ends after so many steps of a sixtieth of a second; `nil`: when it is asked to.
    public var steps: Int?
    /// While nobody is there, bots play, so that there is something to look at.
    public var hasExhibition = false
    /// How long the match that is on may last once the server is asked to end.
    public var drainLimit: Duration = .seconds(300)
    /// Live views at once.
    public var spectators = 128

    /// The options above.
    public init() {}
}
