// SPDX-License-Identifier: Apache-2.0
// Choices: in this file the names are the engine's. An import of one declaration comes before those of modules; it helps also where
// a type has its module's name, and `UsualNames.Frame` therefore does not compile.

import TandemSDL
import UsualNames

import enum UsualNames.Configuration
import enum UsualNames.Frame
import enum UsualNames.Frames
import enum UsualNames.Lines
import enum UsualNames.Messages
import enum UsualNames.Outbox
import enum UsualNames.Statistics

@MainActor func chosen() -> [String] {
    let tandem: Tandem.Frame? = nil
    precondition(tandem == nil)
    return [
        Frame.owner, Frames.owner, Configuration.owner, Outbox.owner, Lines.owner, Messages.owner,
        Statistics.owner,
    ]
}
