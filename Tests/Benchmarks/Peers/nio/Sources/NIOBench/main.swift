// SPDX-License-Identifier: Apache-2.0
// NIOBench: swift-nio in a game with SDL, as a program does it today: event loops on threads of their own, whose results go to the main actor; the
//           main queue is pumped each frame. It speaks as TandemBench does.

runProgram("NIOBench", ["smallframe": smallFrame, "server": server, "start": start])
