import { describeGradients } from '../../support/finite-differences.ts';
import { recurrentCases } from './cases/recurrent.ts';

describeGradients('recurrent layers', recurrentCases);
