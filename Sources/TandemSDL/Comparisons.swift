// SPDX-License-Identifier: Apache-2.0
// Comparisons: SDL's numbers compare with SDL's names.
// Idea:   Swift imports a key's number (`SDL_Keycode`, an `Int32`) and its names (`SDL_KeyCode`, an enumeration) as different types, and an event's type
//         likewise. Both sides are SDL's: comparing them needs no conversion by hand.
// Owner:  any thread.

public import TandemCSDL

/// `key == SDLK_SPACE`, for a key as `SDLGuest.keys(_:priority:consuming:capacity:fileID:line:)` and `event.key.keysym` have it.
public func == (key: SDL_Keysym, name: SDL_KeyCode) -> Bool { key.sym == name }
/// The opposite of `==`.
public func != (key: SDL_Keysym, name: SDL_KeyCode) -> Bool { key.sym != name }
/// `switch key { case SDLK_SPACE: … }`.
public func ~= (name: SDL_KeyCode, key: SDL_Keysym) -> Bool { key.sym == name }

/// `event.key.keysym.sym == SDLK_SPACE`.
public func == (key: SDL_Keycode, name: SDL_KeyCode) -> Bool { UInt32(bitPattern: key) == UInt32(name.rawValue) }
/// The opposite of `==`.
public func != (key: SDL_Keycode, name: SDL_KeyCode) -> Bool { UInt32(bitPattern: key) != UInt32(name.rawValue) }
/// `switch event.key.keysym.sym { case SDLK_SPACE: … }`.
public func ~= (name: SDL_KeyCode, key: SDL_Keycode) -> Bool { key == name }

/// `event.type == SDL_QUIT`.
public func == (type: UInt32, name: SDL_EventType) -> Bool { type == UInt32(name.rawValue) }
/// The opposite of `==`.
public func != (type: UInt32, name: SDL_EventType) -> Bool { type != UInt32(name.rawValue) }
/// `switch event.type { case SDL_QUIT: … }`.
public func ~= (name: SDL_EventType, type: UInt32) -> Bool { type == name }
