# SPDX-License-Identifier: Apache-2.0
# Without a C library: startup.c has what a compiler asks for. The division of 64 bits is libgcc's, for Debian's clang has none for boards.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m4)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET arm-none-eabi)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(cpu "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
separate_arguments(cpu_list UNIX_COMMAND "${cpu}")
execute_process(COMMAND arm-none-eabi-gcc ${cpu_list} -print-libgcc-file-name OUTPUT_VARIABLE libgcc OUTPUT_STRIP_TRAILING_WHITESPACE)
set(CMAKE_C_FLAGS_INIT "${cpu} -ffreestanding")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -fuse-ld=lld -Wl,--gc-sections")
set(CMAKE_C_STANDARD_LIBRARIES_INIT "${libgcc}")
