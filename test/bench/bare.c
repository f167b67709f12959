/* SPDX-License-Identifier: Apache-2.0 */
/* What a program costs that does nothing: the reference of the times. */
int main(void)
{
    return 0;
}
