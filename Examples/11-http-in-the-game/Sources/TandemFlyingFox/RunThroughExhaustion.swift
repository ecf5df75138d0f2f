// SPDX-License-Identifier: Apache-2.0
// RunThroughExhaustion: a server that comes back when descriptors or memory had run out.
// Idea:   FlyingFox's server ends with the first connection that cannot be accepted. That is a matter of seconds; the server's end is not.

public import FlyingFox
public import FlyingSocks
import Glibc
public import Tandem

extension HTTPServer {
    /// Runs the server, and again, after a pause, when it has ended since the process had no descriptor or no memory left. Its connections end with it.
    ///
    /// With port 0 it comes back at another port.
    ///
    /// - Parameter logger: is told each time.
    /// - Throws: what `run()` throws for any other reason, `CancellationError`.
    public func runThroughExhaustion(
        on loop: GuestLoop, logger: any Logging = HTTPServer.defaultLogger()
    ) async throws {
        var pause = Duration.milliseconds(50)
        while true {
            do { return try await run() } catch SocketError.failed(_, let number, let message)
                where [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(number)
            {
                logger.logError("the HTTP server ended (\(message)); it starts again in \(pause)")
            }
            try await loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }
}
