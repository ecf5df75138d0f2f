// SPDX-License-Identifier: Apache-2.0
#include <SDL2/SDL.h>
