// SPDX-License-Identifier: Apache-2.0
// RunTool: another program's lines, and that program's end with ours.
// Idea:   a tool must not outlive the game, however that ends. A game that ends by itself cancels its task, which ends the tool and what it has
//         started. A game that is killed can do nothing any more; but the kernel then closes the pipe to the tool's guard, a shell that reads
//         it and kills the tool's whole process group when the pipe ends. (`PR_SET_PDEATHSIG` will not do: it tells of the end of the thread
//         that made the process, and the pool's threads end when they are idle.)
// Owner:  the caller's actor; a line is given to it there.

public import Subprocess
public import Tandem

/// Runs `command`, and calls `onLine` with each line of its standard output.
///
/// When the task is cancelled, the tool and what it started are ended: by SIGTERM, and 200 ms later by SIGKILL. When this program is
/// killed, they are killed, too. A tool that prints without end takes its turns with everything else on `loop`.
///
/// - Returns: How the tool ended. A tool that a signal has ended is told as a shell does: exit code 128 and the signal's number; one that is not
///   there, as 127.
public func runTool(
    _ command: [String], on loop: GuestLoop, isolation: isolated (any Actor)? = #isolation, onLine: (String) -> Void
) async throws -> TerminationStatus {
    precondition(!command.isEmpty, "runTool was given no command; expected a program's name and its arguments")
    var platform = PlatformOptions()
    // A session of its own, so that what the tool starts goes with it, and Ctrl-C in the terminal is ours.
    platform.createSession = true
    platform.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(200))]
    let result = try await run(
        .name("sh"), arguments: Arguments(["-c", guardScript, "sh"] + command), platformOptions: platform,
        input: .inputWriter, output: .sequence, error: .discarded
    ) { execution in
        // What `run` starts inside calls this closure on a thread of the pool. A closure that uses the isolated parameter returns to the
        // caller's actor.
        _ = isolation
        for try await line in execution.standardOutput.strings().cooperative(on: loop) { onLine(line) }
    }
    return result.terminationStatus
}

/// Standard input is the pipe that ends with this program; only the guard keeps it open. The shell waits for the tool also when it is asked to
/// end, so that the tool has its 200 ms.
private let guardScript = """
    exec 3<&0 0</dev/null
    "$@" 3<&- &
    tool=$!
    trap '' TERM
    { cat <&3 >/dev/null; kill -KILL 0; } >/dev/null 2>&1 &
    guard=$!
    exec 3<&-
    wait $tool
    status=$?
    kill -KILL $guard
    exit $status
    """
