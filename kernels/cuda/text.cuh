// A macro's value as text: TEXT(LOAD) is ".cg" with -DLOAD=.cg, and "" where LOAD stands for nothing.

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
